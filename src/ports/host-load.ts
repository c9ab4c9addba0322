/** How busy this host is, whoever keeps it so. */
export interface HostLoad {
  /** Threads that want to run, averaged over a minute, for each processor; 0 where nobody can tell. */
  perProcessor(): number;
}
