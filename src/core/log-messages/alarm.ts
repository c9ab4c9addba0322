/** What it says of alarms and of who was told. */
export const alarmMessages = {
  alarm: 'alarm',
  alarmCleared: 'alarm cleared',
  alarmNotWrittenDown: 'an alarm was not written down',
  droppedNoticeStays: 'a dropped notice stays on disk',
  knownAlarmUnreadable: 'an alarm of before cannot be read',
  noticeDropped: 'a notice was dropped: too many wait',
  noticeGivenUp: 'a notice was given up',
  noticeNotYetSent: 'a notice could not be sent yet',
  peopleTold: 'people were told',
  queuedNoticeUnreadable: 'a notice of before cannot be read',
  sentNoticeStays: 'a notice that was sent stays written',
} as const;
