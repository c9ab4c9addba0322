/** What an agent says of itself, its files, and what it serves people. */
export const agentMessages = {
  agentStarted: 'agent started',
  agentStopping: 'agent stopping',
  controlRequestFailed: 'a control request failed',
  dashboardFailed: 'the dashboard cannot be served',
  dashboardRefusedRequest: 'the dashboard refused a request',
  dashboardServed: 'dashboard served',
  metricsNotRead: 'metrics were not read',
  metricsServed: 'metrics are served',
  statementFileUnreadable:
    'statement file holds nothing readable; its entries are pulled from peers',
  statementLogDamaged: 'statement log is damaged; later entries are pulled again from peers',
  unfinishedAppendRemoved: 'statement log ended in an unfinished append; removed it',
  tracesNotSent: 'traces were not sent',
} as const;
