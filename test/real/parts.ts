import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, describe, jest, test } from '@jest/globals';
import { cleanUp } from './process.ts';

/** Every real program the tests can drive, by the name it has in the messages. */
const PROGRAMS = [
  'docker-registry',
  'notary-server',
  'notary-signer',
  'notary',
  'dockerd',
  'docker',
  'skopeo',
  'podman',
  'buildah',
  'containerd',
  'ctr',
  'nginx',
  'openssl',
  'redis-server',
  'promtool',
] as const;

export type Part = (typeof PROGRAMS)[number];

/** Milliseconds for starting every part a file needs, and for stopping them again. */
export const SETUP_TIMEOUT = 90_000;
/** Milliseconds for one test; programs start for it, on machines that are busy. */
const TEST_TIMEOUT = 60_000;

/** Debian keeps its programs here; `/usr/bin` comes first so that its `docker` (20.10) wins over a newer one. */
export const SEARCH_PATH = ['/usr/bin', '/usr/sbin', '/bin', '/sbin', '/usr/local/bin', '/usr/local/sbin'];

const found = new Map<Part, string | undefined>();

/** Returns the absolute path of a part's program, or undefined where it cannot be used. */
export function findPart(part: Part): string | undefined {
  if (!found.has(part)) found.set(part, locate(part));
  return found.get(part);
}

/** Returns the absolute path of a part's program; inside `describeReal` it is always there. */
export function programOf(part: Part): string {
  const path = findPart(part);
  if (path === undefined)
    throw new Error(`${part} is not installed: list it among the parts of describeReal`);
  return path;
}

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

function locate(part: Part): string | undefined {
  if (part === 'dockerd' && process.getuid?.() !== 0) return undefined;
  const folders = [...SEARCH_PATH, ...(process.env['PATH'] ?? '').split(delimiter)];
  return folders.map((folder) => join(folder, part)).find((path) => isUsable(part, path));
}

function isUsable(part: Part, path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
  } catch {
    return false;
  }
  // The Docker CLI lost `docker trust` in version 29; one without it cannot sign and is no part of ours.
  return part !== 'docker' || spawnSync(path, ['trust', 'sign', '--help']).status === 0;
}
