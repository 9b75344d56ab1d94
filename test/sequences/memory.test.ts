/** Sequences of updates with the state in memory: two caches over one state. */
import { checkSequences } from './check.ts';

checkSequences('memory', 0.5);
