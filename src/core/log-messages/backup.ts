/** What it says of backups, restores and deliveries. */
export const backupMessages = {
  backupBeginsAgain: 'the backup begins again',
  contentStoredAnew: 'packs are lost or lie at too few sites; their content is stored anew',
  deliveriesPostponed: 'deliveries postponed',
  deliveryPostponed: 'delivery postponed',
  holderGaveBadShard: 'a holder gave a bad shard',
  membersNotAsked: 'could not ask members for shards',
  metadataCopiesPostponed: 'metadata copies postponed',
  metadataCopyFailed: 'a metadata copy failed',
  noReceiptYet: 'no receipt yet',
  outboxAddressesLost: 'shards in the outbox had lost their addresses',
  packHasAnotherCode: 'a pack has another code',
  packKeepsCodeNow: 'a pack keeps its code for now',
  packsRepacked: 'mostly dead packs are given up; what is needed of them is stored anew',
  shardKeptInOutbox: 'shard kept in the outbox',
  snapshotSigned: 'snapshot signed',
  stageProgramHasFailed: 'a program of a stage has failed',
  stageProgramHasRun: 'a program of a stage has run',
  unsignedPacksStoredAnew:
    'a backup that was cut off had left packs with hosts that are gone or leave; they are stored anew',
  backupBegins: 'a backup begins',
  snapshotRead: 'a snapshot is read',
} as const;
