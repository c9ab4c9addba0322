import type { Network } from '../ports/network.ts';
import { Bandwidth } from '../services/bandwidth.ts';
import { throttledNetwork, type ThrottledNetworkOptions } from '../services/throttled-network.ts';
import type { Agent } from './agent.ts';
import type { AgentOptions, AgentPorts } from './agent-ports.ts';
import type { BandwidthApi, BandwidthReport, DirectionReport } from './bandwidth-types.ts';

/** What the configuration lets this host move, and its network held to that. */
export function boundNetwork(
  { network, clock, load }: Pick<AgentPorts, 'network' | 'clock' | 'load'>,
  { config: { bandwidth: configured } }: Pick<AgentOptions, 'config'>,
  isOnItsWay: ThrottledNetworkOptions['isOnItsWay'],
): { readonly bandwidth: Bandwidth; readonly network: Network } {
  const { upload, download, windows, busyLoad: loadMax } = configured;
  const limits = { upload, download };
  const bandwidth = new Bandwidth({ clock, limits, windows, load, loadMax });
  return { bandwidth, network: throttledNetwork(network, { bandwidth, isOnItsWay }) };
}

export function bandwidthApi({ bandwidth }: Agent): BandwidthApi {
  return {
    bandwidth: () => Promise.resolve(report(bandwidth)),
    limitBandwidth: (wish) => {
      bandwidth.say(wish);
      return Promise.resolve(report(bandwidth));
    },
  };
}

function report(bandwidth: Bandwidth): BandwidthReport {
  const { limits, said, load, careShare } = bandwidth;
  const of = (direction: 'upload' | 'download'): DirectionReport => ({
    limit: limits[direction],
    origin: said[direction] === undefined ? 'configured' : 'said',
    moved: { ...bandwidth[direction].moved },
  });
  return { upload: of('upload'), download: of('download'), load, careShare };
}
