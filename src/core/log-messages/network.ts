/** What it says of connections, transfers, and statements that go from peer to peer. */
export const networkMessages = {
  announced: 'announced',
  announcementFailed: 'could not announce',
  callNotAnswered: 'a call was not answered',
  memberNotYetConnected: 'cannot connect to a member yet',
  pullFailedUnexpectedly: 'a pull failed unexpectedly',
  pullStreamCut: 'a pull stream was cut',
  silentConnectionCut: 'cut a connection that does not answer',
  twoHistories: 'a writer has signed two histories; its stream is frozen',
  newsNotAnnounced: 'news could not be announced',
  announcementMalformed: 'an announcement is malformed',
  statementsWaitForLost: 'statements here wait for others that this log has lost',
  peerNotFollowed: 'a peer could not be followed',
  requestNotAnswered: 'a request was not answered',
  statementRefused: 'a statement from a peer was refused',
  statementsNotExchanged: 'statements could not be exchanged with a peer',
  headNotConfirmed: 'no peer could confirm the newest statements of this host',
} as const;
