import { connectControl, controlSocketPath } from '../agent/control-client.ts';
import type { Backend } from './backend.ts';

/** Loads the real thing at the first call that needs it: help, status and completion must answer at once. */
export function lazyBackend(load: () => Promise<Backend>): Backend {
  return {
    initCluster: async (options) => (await load()).initCluster(options),
    invite: async (options) => (await load()).invite(options),
    makeOperatorKey: async (file) => (await load()).makeOperatorKey(file),
    provePolicy: async (options) => (await load()).provePolicy(options),
    submitAsOperator: async (options) => (await load()).submitAsOperator(options),
    decreeDocument: async (draft) => (await load()).decreeDocument(draft),
    readDecree: async (text) => (await load()).readDecree(text),
    signDecree: async (options) => (await load()).signDecree(options),
    decreeEnvelope: async (text) => (await load()).decreeEnvelope(text),
    join: async (options) => (await load()).join(options),
    runAgent: async (options, cancel) => (await load()).runAgent(options, cancel),
    startAgent: async (options) => (await load()).startAgent(options),
    openRecovery: async (options) => (await load()).openRecovery(options),
    sandboxDrill: async function* (request, cancel) {
      yield* (await load()).sandboxDrill(request, cancel);
    },
    proveDrills: async (evidence) => (await load()).proveDrills(evidence),
    openPlanKeys: async (options) => (await load()).openPlanKeys(options),
    grantRestore: async (options) => (await load()).grantRestore(options),
    splitKit: async (options) => (await load()).splitKit(options),
    combineKit: async (shares) => (await load()).combineKit(shares),
    proveShare: async (options) => (await load()).proveShare(options),
    changeKeys: async (options) => (await load()).changeKeys(options),
    control: (stateDir) => connectControl(controlSocketPath(stateDir)),
    dashboard: async (options) => (await load()).dashboard(options),
    repairIndex: async (options) => (await load()).repairIndex(options),
    checkTarget: async (request) => (await load()).checkTarget(request),
    demo: async (options, cancel) => (await load()).demo(options, cancel),
    loadConfig: async (options) => (await load()).loadConfig(options),
  };
}
