/** Killed at any moment, the state is readable and never lower than what was served from it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createFileState } from '../../../proxy/cache/state/file-state.ts';
import { SimulatedRepository } from '../../../proxy/demo/notary/notary-repository.ts';
import { NotaryServer } from '../../../proxy/demo/notary/notary-server.ts';
import { digestOf, GUN } from '../../trust-client/kit.ts';

/** The bar is 500: `PULLWARDEN_KILLS=500 npm run jest -- test/cache/state/crash`. */
const KILLS = Number(process.env['PULLWARDEN_KILLS'] ?? 25);
const ROOT = join(import.meta.dirname, '../../..');
const MAX_LIFE_MS = 60;

let folder: string;
let notary: NotaryServer;
let repository: SimulatedRepository;

beforeEach(async () => {
  if (!existsSync(join(ROOT, 'dist/main.js')))
    throw new Error('run "npm run build" first: this test runs dist/');
  folder = await mkdtemp(join(tmpdir(), 'pullwarden-crash-'));
  repository = new SimulatedRepository(GUN);
  repository.addTag('1', digestOf('a'), 7);
  repository.publish();
  notary = new NotaryServer({ repositories: [repository] });
  // Something is new each time somebody asks, so that each refresh writes.
  let asked = 0;
  notary.fault(/timestamp\.json/, (answer) => {
    asked += 1;
    if (asked % 5 === 0) repository.addTag(`tag-${asked}`, digestOf('b'), 7);
    repository.publish();
    return answer;
  });
  await notary.start();
});

afterEach(async () => {
  await notary.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Lets a process refresh for a random moment after its first answer, kills it, and gives the last version it said. */
async function runAndKill(): Promise<number> {
  const child = spawn(process.execPath, [
    join(ROOT, 'test/cache/state/refresh-forever.js'),
    folder,
    notary.url,
    GUN,
  ]);
  let said = '';
  let failed = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    failed += chunk.toString();
  });
  const ended = once(child, 'close');
  await Promise.race([once(child.stdout, 'data'), ended]);
  await killAfter(child, Math.random() * MAX_LIFE_MS);
  await ended;
  if (failed !== '') throw new Error(`the process failed by itself:\n${failed}`);
  return Number(said.trimEnd().split('\n').at(-1));
}

function killAfter(child: ChildProcess, ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(() => {
      child.kill('SIGKILL');
      resolve();
    }, ms);
  });
}

test(
  `${KILLS} kills during refreshes`,
  async () => {
    let highest = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const served = await runAndKill();
      const stored = await createFileState(folder).load(GUN);
      const version = stored?.floors.get('timestamp')?.version ?? 0;
      expect(version).toBeGreaterThanOrEqual(served);
      expect(version).toBeGreaterThanOrEqual(highest);
      highest = version;
    }
    expect((await readdir(folder)).filter((name) => name.endsWith('.trust'))).toHaveLength(1);
  },
  KILLS * 5_000,
);
