/** The Node underneath: one that is too old is told apart in one sentence, a current one has nothing to complain of. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, jest, test } from '@jest/globals';
import { explainOldNode } from '../../proxy/node-version.ts';
import { dropWarning } from '../../proxy/node-warnings.ts';

const ROOT = join(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'dist/main.js');
const run = promisify(execFile);

type Package = { readonly engines: { readonly node: string } };

describe('a Node that is too old', () => {
  test.each(['14.21.3', '18.20.8', '20.18.3'])('%s is', (version) => {
    expect(explainOldNode(version)).toBe(`needs Node 20.19 or later, this is Node ${version}`);
  });

  test.each(['20.19.0', '20.20.2', '21.0.0', '22.12.0', '24.0.0', '100.0.0'])('%s is not', (version) => {
    expect(explainOldNode(version)).toBeUndefined();
  });

  test('is older than package.json says', () => {
    const { engines }: Package = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(explainOldNode(engines.node.replace('>=', ''))).toBeUndefined();
    expect(explainOldNode('20.18.99')).toContain(engines.node.replace('>=', ''));
  });

  test('is not what CI, the image and developers use', () => {
    const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
    const { engines }: Package = JSON.parse(read('package.json'));
    const tested = /^for version in (.*); do$/m.exec(read('.ci/run'))?.[1]?.split(' ');
    const shipped = /^ARG NODE_IMAGE=node:(\d+)/m.exec(read('Dockerfile'))?.[1];
    expect(tested).toContain(engines.node.replace('>=', ''));
    expect(tested).toContain(shipped);
    expect(read('.nvmrc').trim()).toBe(shipped);
  });

  test('is told so in one line, whatever the command', async () => {
    const pretend =
      'data:text/javascript,' +
      encodeURIComponent(
        'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "18.20.8" } });',
      );
    const refused = run(process.execPath, ['--import', pretend, MAIN, 'serve']);
    await expect(refused).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'pullwarden: needs Node 20.19 or later, this is Node 18.20.8\n',
    });
  });
});

describe('warnings of Node', () => {
  test('none is printed while blobs are streamed', async () => {
    const { stderr } = await run(process.execPath, [MAIN, 'demo', '--once']);
    expect(stderr).toBe('');
  });

  test('the one that is dropped is dropped, others are not', () => {
    const emitWarning = jest.fn();
    const source = { emitWarning };
    dropWarning(source, 'DEP0060');
    const emit: (...all: unknown[]) => void = source.emitWarning;
    emit('old', 'DeprecationWarning', 'DEP0060', dropWarning);
    emit('older', 'DeprecationWarning', 'DEP0005', dropWarning);
    emit('careful');
    expect(emitWarning.mock.calls).toEqual([
      ['older', 'DeprecationWarning', 'DEP0005', dropWarning],
      ['careful'],
    ]);
  });
});
