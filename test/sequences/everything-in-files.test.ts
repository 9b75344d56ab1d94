/** Sequences of updates: everything with the state in a folder, a few kinds of step at a time with it in memory. */
import { checkSequences } from './check.ts';

checkSequences({ everything: 'files' });
