/** How the file of an operator's secret begins: nobody shall take it for the public half. */
export const operatorSecretMark = 'HOLDFAST-OPERATOR-SECRET-1';
