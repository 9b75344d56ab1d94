/** What one update may ask for: bytes, files at a time, and how each file is asked for (limits.ts). */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { createRepositoryFiles, type RepositoryFiles } from '../../proxy/trust-client/fetch.ts';
import { LIMITS } from '../../proxy/trust-client/limits.ts';
import type { TrustSource } from '../../proxy/trust-client/types.ts';
import { unreachable, wireName } from '../simulators/simulated-source.ts';
import { GUN, refusal } from './kit.ts';

const SHA256 = 'a'.repeat(64);
const LARGEST = Buffer.alloc(LIMITS.fileBytes);
/** As many of the largest files as one update may have. */
const MOST = LIMITS.updateBytes / LIMITS.fileBytes;

let asked: { readonly name: string; readonly maxBytes: number; readonly revalidate: boolean | undefined }[];
let respond: TrustSource['fetch'];
let deadline: AbortController;
let files: RepositoryFiles;

beforeEach(() => {
  asked = [];
  respond = async () => Buffer.alloc(10);
  deadline = new AbortController();
  const source: TrustSource = {
    fetch: (gun, file, limits) => {
      asked.push({ name: wireName(file), maxBytes: limits.maxBytes, revalidate: limits.revalidate });
      return respond(gun, file, limits);
    },
  };
  files = createRepositoryFiles(source, GUN, deadline.signal);
});

/** Asks for a delegation of this length. */
function named(name: string, length: number): Promise<Uint8Array> {
  return files.named(`targets/${name}`, { sha256: SHA256, sha512: undefined, length });
}

/** As many delegations of the largest size as given, one after the other. */
async function takeLargest(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await named(`d${i}`, LIMITS.fileBytes);
}

describe('the size of one file', () => {
  test('each kind is asked for with its own bound', async () => {
    await files.current('root');
    await files.current('timestamp', true);
    await files.rootVersion(3);
    await named('qa', 123);
    expect(asked).toEqual([
      { name: 'root', maxBytes: LIMITS.rootBytes, revalidate: false },
      { name: 'timestamp', maxBytes: LIMITS.timestampBytes, revalidate: true },
      { name: '3.root', maxBytes: LIMITS.rootBytes, revalidate: false },
      { name: `targets/qa.${SHA256}`, maxBytes: 123, revalidate: false },
    ]);
  });

  test('as large as a file may be is asked for; a byte more is refused before anything is', async () => {
    await named('qa', LIMITS.fileBytes);
    const error = await refusal(named('qa', LIMITS.fileBytes + 1), 'metadata_invalid', 'size');
    expect(error.role).toBe('targets/qa');
    expect(asked).toHaveLength(1);
  });

  test('a file without a sha256 is refused before anything is asked for', async () => {
    const attempt = files.named('targets/qa', { sha256: undefined, sha512: 'b'.repeat(128), length: 7 });
    const error = await refusal(attempt, 'metadata_invalid', 'hash_mismatch');
    expect(error.role).toBe('targets/qa');
    expect(asked).toEqual([]);
  });
});

describe('the bytes of one update in all', () => {
  test('may be used up to the last one, and not one more', async () => {
    respond = async () => LARGEST;
    await takeLargest(MOST);
    respond = async () => Buffer.alloc(1);
    const error = await refusal(files.current('root'), 'metadata_invalid', 'size');
    expect(error.role).toBe('root');
  });

  test('known lengths count before they are asked for, however many are asked for together', async () => {
    respond = async () => LARGEST;
    const attempts = ['a', 'b', 'c', 'd'].map((name) => named(name, LIMITS.fileBytes));
    const outcomes = await Promise.allSettled(attempts);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(MOST);
    expect(asked).toHaveLength(MOST);
  });

  test('lengths that are not known count when they were read', async () => {
    respond = async () => Buffer.alloc(LIMITS.rootBytes);
    const fitting = LIMITS.updateBytes / LIMITS.rootBytes;
    for (let version = 1; version <= fitting; version += 1) await files.rootVersion(version);
    await refusal(files.rootVersion(fitting + 1), 'metadata_invalid', 'size');
  });

  test('a file that is shorter than its parent says counts as long as it is', async () => {
    respond = async () => Buffer.alloc(1024);
    await takeLargest(MOST + 2);
    respond = async () => LARGEST;
    await takeLargest(MOST - 1);
    await refusal(named('qa', LIMITS.fileBytes), 'metadata_invalid', 'size');
  });

  test('a file that the server does not have counts nothing, and does not lift the bound', async () => {
    respond = async () => undefined;
    for (let i = 0; i < MOST + 1; i += 1) {
      const error = await refusal(named('qa', LIMITS.fileBytes), 'trust_unreachable', 'unreachable');
      expect(error.role).toBe('targets/qa');
    }
    respond = async () => LARGEST;
    await takeLargest(MOST);
    await refusal(named('qa', LIMITS.fileBytes), 'metadata_invalid', 'size');
  });
});

test('no more files are asked for at a time than the limit, in the order they came', async () => {
  const answers: (() => void)[] = [];
  let most = 0;
  respond = () => new Promise((resolve) => answers.push(() => resolve(Buffer.alloc(1))));
  const all = Array.from({ length: LIMITS.parallelFetches * 3 }, (_, index) => files.rootVersion(index + 1));
  for (let answered = 0; answered < all.length; answered += 1) {
    most = Math.max(most, asked.length - answered);
    answers[answered]?.();
    await all[answered];
    await new Promise((done) => setImmediate(done));
  }
  expect(most).toBe(LIMITS.parallelFetches);
  expect(asked.map(({ name }) => name)).toEqual(all.map((_, index) => `${index + 1}.root`));
});

test('a file is asked for once, however often it is needed', async () => {
  await Promise.all([
    files.rootVersion(2),
    files.rootVersion(2),
    files.current('root'),
    files.current('root'),
  ]);
  expect(asked.map(({ name }) => name)).toEqual(['2.root', 'root']);
});

test('a request that fails as the deadline passes keeps its failure as the cause', async () => {
  const failure = unreachable();
  respond = async () => {
    deadline.abort();
    throw failure;
  };
  const error = await refusal(files.current('root'), 'deadline_exceeded', 'deadline');
  expect(error.cause).toBe(failure);
  expect(error.message).toContain('did not arrive');
});

test('after the deadline nothing is asked for any more', async () => {
  deadline.abort();
  const error = await refusal(files.current('root'), 'deadline_exceeded', 'deadline');
  expect(error.message).toContain('did not arrive');
  expect(asked).toEqual([]);
});

test('a named file that a replica does not have is asked for again, past every cache, and not for ever', async () => {
  respond = async () => undefined;
  await refusal(named('qa', 1), 'trust_unreachable', 'unreachable');
  expect(asked.map(({ revalidate }) => revalidate)).toEqual([false, true, true]);
  expect(asked).toHaveLength(LIMITS.asksForNamed);
});
