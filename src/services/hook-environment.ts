/** What a program finds in its environment: each fact as HOLDFAST_.., its name in capitals. */
export function hookEnvironment(facts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(facts).map(([key, value]) => [`HOLDFAST_${key.toUpperCase()}`, value]),
  );
}
