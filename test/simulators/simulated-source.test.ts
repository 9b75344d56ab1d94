import { beforeEach, describe, expect, test } from '@jest/globals';
import { SimulatedRepository } from '../../proxy/demo/notary/notary-repository.ts';
import type { MetadataFile } from '../../proxy/trust-client/types.ts';
import { SimulatedSource, unreachable, wireName } from './simulated-source.ts';

const GUN = 'docker.io/library/alpine';
const TIMESTAMP: MetadataFile = { role: 'timestamp' };

let repository: SimulatedRepository;
let source: SimulatedSource;

beforeEach(() => {
  repository = new SimulatedRepository(GUN);
  repository.publish();
  source = new SimulatedSource(repository);
});

function fetch(
  file: MetadataFile,
  options: { maxBytes?: number; signal?: AbortSignal; revalidate?: boolean } = {},
) {
  return source.fetch(GUN, file, { maxBytes: 1_000_000, signal: new AbortController().signal, ...options });
}

test('wire names', () => {
  expect(wireName({ role: 'root' })).toBe('root');
  expect(wireName({ role: 'root', version: 3 })).toBe('3.root');
  expect(wireName({ role: 'targets/releases', sha256: 'ab' })).toBe('targets/releases.ab');
});

test('serves the exact bytes, and undefined for what is not there', async () => {
  expect(await fetch(TIMESTAMP)).toBe(repository.files.get('timestamp'));
  expect(await fetch({ role: 'root', version: 1 })).toBe(repository.files.get('root'));
  expect(await fetch({ role: 'root', version: 2 })).toBeUndefined();
  const limits = { maxBytes: 1, signal: new AbortController().signal };
  expect(await source.fetch('docker.io/library/other', TIMESTAMP, limits)).toBeUndefined();
});

test('keeps a log of what was asked', async () => {
  await fetch(TIMESTAMP, { revalidate: true });
  await fetch({ role: 'root', version: 2 });
  expect(source.requests).toMatchObject([
    { gun: GUN, name: 'timestamp', revalidate: true },
    { gun: GUN, name: '2.root', revalidate: false },
  ]);
  expect(source.takeRequests()).toEqual(['timestamp', '2.root']);
  expect(source.takeRequests()).toEqual([]);
});

test('more than maxBytes is a TrustError of cause size', async () => {
  await expect(fetch(TIMESTAMP, { maxBytes: 10 })).rejects.toMatchObject({
    code: 'metadata_invalid',
    fault: 'size',
  });
});

describe('faults', () => {
  test('throw, by role, a number of times', async () => {
    source.fault('root', { error: unreachable(), times: 1 });
    await expect(fetch({ role: 'root', version: 1 })).rejects.toMatchObject({ code: 'trust_unreachable' });
    expect(await fetch({ role: 'root', version: 1 })).toBeDefined();
  });

  test('replace bytes, by wire name', async () => {
    source.fault('1.root', { bytes: Buffer.from('{}') });
    expect(await fetch({ role: 'root', version: 1 })).toEqual(Buffer.from('{}'));
    expect(await fetch({ role: 'root' })).toBe(repository.files.get('root'));
  });

  test('change bytes by a function, for any request', async () => {
    source.fault('*', { bytes: (honest) => honest?.subarray(1) });
    expect(await fetch(TIMESTAMP)).toEqual(repository.files.get('timestamp')?.subarray(1));
  });

  test('answer "no such file", by a test of the request', async () => {
    source.fault((request) => request.gun === GUN, { missing: true });
    expect(await fetch(TIMESTAMP)).toBeUndefined();
    source.clearFaults();
    expect(await fetch(TIMESTAMP)).toBeDefined();
  });

  test('delay until told', async () => {
    let open: () => void = () => {};
    source.fault('timestamp', { delay: new Promise<void>((resolve) => (open = resolve)) });
    let answered = false;
    const pending = fetch(TIMESTAMP).finally(() => {
      answered = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(answered).toBe(false);
    open();
    expect(await pending).toBeDefined();
  });

  test('a caller that gives up while waiting gets trust_unreachable', async () => {
    source.fault('timestamp', { delay: new Promise(() => {}) });
    const controller = new AbortController();
    const pending = fetch(TIMESTAMP, { signal: controller.signal });
    controller.abort();
    await expect(pending).rejects.toMatchObject({ code: 'trust_unreachable', isOutage: true });
  });
});
