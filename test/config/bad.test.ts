import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { runCheck } from '../../proxy/commands/check.ts';
import { ConfigError } from '../../proxy/config/errors.ts';
import { loadConfig } from '../../proxy/config/load-config.ts';
import { BAD_LINES } from './bad-lines.ts';

const FOLDER = fileURLToPath(new URL('bad', import.meta.url));
const FILES = readdirSync(FOLDER).sort();

async function check(
  file: string,
): Promise<{ readonly code: number; readonly out: string[]; readonly err: string[] }> {
  const [out, err]: [string[], string[]] = [[], []];
  const io = { out: (line: string) => out.push(line), err: (line: string) => err.push(line) };
  const code = await runCheck(`${FOLDER}/${file}`, io);
  return { code, out, err };
}

describe('each mistake is told with its place, its path and the next step', () => {
  test.each(FILES)('%s', async (file) => {
    const { code, out, err } = await check(file);
    const lines = err.map((line) => line.replace(`${FOLDER}/`, '').replaceAll(FOLDER, '<bad>'));
    expect(lines).toEqual(BAD_LINES.filter((line) => line.startsWith(`${file}:`)));
    expect(lines.length).toBeGreaterThan(0);
    expect(out).toEqual([]);
    expect(code).toBe(1);
  });

  test('every line in the table belongs to a file', () => {
    const known = BAD_LINES.filter((line) => FILES.some((file) => line.startsWith(`${file}:`)));
    expect(known).toEqual(BAD_LINES);
  });

  test('no line has a control character or a character outside ASCII', async () => {
    for (const file of FILES) {
      for (const line of (await check(file)).err) expect(line).toMatch(/^[\x20-\x7e]+$/);
    }
  });

  test('no line shows a password', () => {
    expect(BAD_LINES.join('\n')).not.toMatch(/hunter2|secret@/);
  });
});

test('ConfigError carries every fault as data, in the order of the file', async () => {
  const error = await loadConfig(`${FOLDER}/45_many_at_once.yaml`).catch((caught: unknown) => caught);
  if (!(error instanceof ConfigError)) throw new Error('no ConfigError');
  expect(error.faults).toHaveLength(5);
  expect(error.faults[0]).toEqual({
    file: `${FOLDER}/45_many_at_once.yaml`,
    line: 1,
    column: 1,
    path: 'defaultRegistry',
    what: 'there is no registry "quay.io"',
    next: 'write one of docker.io',
  });
  expect(error.message.split('\n')).toHaveLength(5);
});
