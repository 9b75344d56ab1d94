/** Sequences of updates with the state in a folder: two processes, each with its own state over the same files. */
import { checkSequences } from './check.ts';

checkSequences('files', 0.5);
