/**
 * Endings that ransomware gives to the files it has encrypted, lower case, without the dot. Only those that no
 * ordinary program writes: a false alarm each week teaches people to look away.
 */
const endings = new Set([
  ...['7ev3n', 'aes_ni', 'akira', 'alphv', 'avos2', 'babyk', 'babuk', 'bianlian', 'blackbyte'],
  ...['cerber', 'cl0p', 'crinf', 'cryp1', 'crypted', 'cryptolocker', 'crypz', 'darkside', 'dharma'],
  ...['djvu', 'eking', 'enciphered', 'encrypted', 'fantom', 'gandcrab', 'globeimposter', 'lockbit'],
  ...['locked', 'locky', 'lorenz', 'makop', 'mallox', 'netwalker', 'nokoyawa', 'osiris', 'pysa'],
  ...['ransom', 'ransomed', 'rhysida', 'ryk', 'ryuk', 'sodinokibi', 'wannacry', 'wcry', 'wncry'],
  ...['wnry', 'xtbl', 'zepto', 'zeppelin', 'zzzzz'],
]);

/** Names of the notes that it leaves behind: lower case, letters and digits only. */
const notes = [
  ...['howtodecrypt', 'howtorecoverfiles', 'howtorestorefiles', 'howtobackfiles'],
  ...[
    'decryptinstruction',
    'decryptyourfiles',
    'recoveryourfiles',
    'restoreyourfiles',
    'restoremyfiles',
  ],
  ...['recoverfiles', 'readmetodecrypt', 'readmetorecover', 'yourfilesareencrypted'],
  ...['filesencrypted', 'ransomnote', 'helpdecrypt', 'helprecover', 'helprestore'],
];

/** True when a file is named as ransomware names what it encrypts, or the note that it leaves. */
export function isSuspectName(name: string): boolean {
  const lower = name.toLowerCase();
  const dot = lower.lastIndexOf('.');
  // A name that is nothing but an ending is an ordinary hidden file.
  if (dot > 0 && endings.has(lower.slice(dot + 1))) return true;
  // Names such as `report.docx.id-1E857D00.[mail@example.com].xyz`.
  if (/\.id-[0-9a-f]{8}\.\[[^\]]+@[^\]]+\]\./.test(lower)) return true;
  const letters = lower.replace(/\.(txt|html?|hta|url|bmp|png)$/, '').replace(/[^a-z0-9]/g, '');
  return notes.some((note) => letters.includes(note));
}
