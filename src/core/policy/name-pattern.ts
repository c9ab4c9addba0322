/**
 * Whether a name fits a pattern as a whole: `*` stands for any text, `?` for one character (UTF-16 unit),
 * everything else for itself. Takes at most the product of both lengths.
 */
export function isNameLike(name: string, pattern: string): boolean {
  let at = 0;
  let from = 0;
  /** Where the last star stands, and up to where it has taken the name. */
  let star = -1;
  let taken = 0;
  while (from < name.length) {
    const wanted = pattern[at];
    if (wanted === '*') {
      star = at++;
      taken = from;
    } else if (wanted === '?' || wanted === name[from]) {
      at++;
      from++;
    } else if (star >= 0) {
      at = star + 1;
      from = ++taken;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}
