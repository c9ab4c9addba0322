export { compareTrees } from '../../src/adapters/fs/compare.ts';
