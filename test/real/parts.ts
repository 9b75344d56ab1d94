import { afterAll, describe, jest, test } from '@jest/globals';
import { cleanUp } from './process.ts';
import { findPart, type Part } from './programs.ts';

/** Milliseconds for starting every part a file needs, and for stopping them again. */
export const SETUP_TIMEOUT = 90_000;
/** Milliseconds for one test; programs start for it, on machines that are busy. */
const TEST_TIMEOUT = 60_000;

/**
 * A `describe` that runs where all its parts are installed. Elsewhere it is skipped under a name that says what is
 * missing, with one line on stderr; with PULLWARDEN_REAL=require the missing part is a failing test instead.
 * Whatever `process.ts` started inside it is stopped at its end, also after a failure; so start things in its hooks and
 * tests, not outside it. One describeReal does not stand inside another.
 */
export function describeReal(name: string, needed: readonly Part[], body: () => void): void {
  const missing = needed.filter((part) => findPart(part) === undefined);
  if (missing.length === 0) {
    describe(name, () => runBody(body));
    return;
  }
  const without = `${name} [missing: ${missing.join(', ')}]`;
  if (process.env['PULLWARDEN_REAL'] === 'require') {
    describe(without, () => {
      test('every real part is installed', () => {
        throw new Error(`PULLWARDEN_REAL=require, and these parts are missing: ${missing.join(', ')}`);
      });
    });
    return;
  }
  process.stderr.write(`real parts missing: ${missing.join(', ')}; therefore not run: ${name}
`);
  describe.skip(without, () => runBody(body));
}

function runBody(body: () => void): void {
  jest.setTimeout(TEST_TIMEOUT);
  body();
  afterAll(cleanUp, SETUP_TIMEOUT);
}
