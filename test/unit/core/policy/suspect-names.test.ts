import { describe, expect, test } from 'vitest';
import { isSuspectName } from '../../../../src/core/policy/suspect-names.ts';

describe('names that ransomware gives', () => {
  test.each([
    'report.docx.lockbit',
    'photo.JPG.WNCRY',
    'ledger.xlsx.id-1E857D00.[mail@example.com].eking',
    'HOW_TO_DECRYPT.txt',
    '_readme_to_decrypt_.html',
    'Restore-My-Files.txt',
    'YOUR_FILES_ARE_ENCRYPTED.HTA',
  ])('%s is suspect', (name) => {
    expect(isSuspectName(name)).toBe(true);
  });

  test.each([
    'report.docx',
    '.encrypted',
    'locked',
    'secrets.yaml.age',
    'dump.sql.gpg',
    'README.txt',
    'how to restore the database.md',
    'id-1E857D00.txt',
    '',
  ])('"%s" is not', (name) => {
    expect(isSuspectName(name)).toBe(false);
  });
});
