/**
 * One cold resolution, nothing remembered and no connection open: ours in this process beside the `notary` program,
 * which is what a shell script would use, both asking the same real notary-server.
 */
import { readFile } from 'node:fs/promises';
import { createMemoryState } from '../proxy/cache/state/memory-state.ts';
import type { Gun } from '../proxy/names/reference.ts';
import { createNotarySource } from '../proxy/trust-client/notary-source.ts';
import { updateTrust } from '../proxy/trust-client/update.ts';
import { createHttpClient } from '../proxy/upstream/http-client.ts';
import { NotaryClient } from '../test/real/notary.ts';
import { startNotaryServer } from '../test/real/notary-server.ts';
import { makeTempDir } from '../test/real/process.ts';
import type { Table } from './report.ts';

const GUN: Gun = 'registry.bench.example/team/app';
const TAG = 'signed';
const SHA256 = 'ab'.repeat(32);
const RUNS = 15;
const TIMEOUT_MS = 10_000;

export async function measureCold(): Promise<Table> {
  const server = await startNotaryServer();
  const owner = await NotaryClient.create(server);
  await owner.init(GUN);
  await owner.addHash(GUN, TAG, 1000, SHA256);
  const ca = await readFile(server.caFile);
  // Once each for what only a first run pays: compiled code here, a warm disk cache there.
  await resolveHere(server.url, ca);
  await resolveWithNotary(server);
  const notary: number[] = [];
  const ours: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    notary.push(await timed(() => resolveWithNotary(server)));
    ours.push(await timed(() => resolveHere(server.url, ca)));
  }
  return {
    title: 'Cold resolution of one tag over TLS from notary-server',
    unit: 'ms',
    series: [
      { name: 'notary lookup (a process)', runs: notary },
      { name: 'pullwarden (in process)', runs: ours },
    ],
    notes: ['notary also pays for starting a process; both make a new TLS connection and remember nothing'],
  };
}

async function timed(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

async function resolveHere(baseUrl: string, ca: Buffer): Promise<void> {
  const client = createHttpClient({
    upstream: 'bench',
    kind: 'notary',
    baseUrl,
    ca,
    auth: { kind: 'anonymous' },
  });
  const now = new Date();
  const request = {
    gun: GUN,
    pin: { kind: 'firstUse' },
    now,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  } as const;
  const trust = await updateTrust(
    { source: createNotarySource(client), state: createMemoryState() },
    request,
  );
  await client.close();
  expectDigest(trust.target(TAG, now)?.digest);
}

async function resolveWithNotary(server: { readonly url: string; readonly caFile: string }): Promise<void> {
  const stranger = await NotaryClient.create(server, await makeTempDir('bench-trust'));
  const found = await stranger.lookup(GUN, TAG);
  expectDigest(found === undefined ? undefined : `sha256:${found}`);
}

function expectDigest(digest: string | undefined): void {
  if (digest !== `sha256:${SHA256}`) throw new Error(`the tag was resolved to ${digest}`);
}
