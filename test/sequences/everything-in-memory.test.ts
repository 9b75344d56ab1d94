/** Sequences of updates: everything with the state in memory, a few kinds of step at a time with it in a folder. */
import { checkSequences } from './check.ts';

checkSequences({ everything: 'memory' });
