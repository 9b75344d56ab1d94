/** `serve` as a process: what a signal does while it is still starting. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, mkdtempSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, jest, test } from '@jest/globals';

jest.setTimeout(60_000);

const MAIN = join(import.meta.dirname, '../../dist/main.js');
const CONFIG = JSON.stringify({
  listen: { address: '127.0.0.1', port: 0 },
  admin: { address: '127.0.0.1', port: 0 },
  registries: [
    {
      name: 'registry.example.com',
      upstream: 'http://127.0.0.1:1',
      trust: { server: 'http://127.0.0.1:1' },
    },
  ],
  trust: { state: { kind: 'memory' } },
  policy: {},
});

const READ_NOW = constants.O_RDONLY | constants.O_NONBLOCK;

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

type Starting = { readonly child: ChildProcess; readonly file: string; text(): string };

const toModule = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;

/** Has the process send itself a SIGHUP as soon as it looks for its first dependency. */
const HUP_WHILE_LOADING = toModule(
  `import { register } from 'node:module'; register(${JSON.stringify(
    toModule(`export async function resolve(specifier, context, next) {
      if (specifier === 'commander') process.kill(process.pid, 'SIGHUP');
      return await next(specifier, context);
    }`),
  )});`,
);

/** The configuration is a named pipe: the proxy goes on starting until somebody writes it. */
function start(...nodeOptions: readonly string[]): Starting {
  const folder = mkdtempSync(join(tmpdir(), 'pullwarden-serve-'));
  undo.push(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'pullwarden.yaml');
  execFileSync('mkfifo', [file]);
  const child = spawn(process.execPath, [...nodeOptions, MAIN, 'serve', '--config', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  undo.push(() => child.kill('SIGKILL'));
  // Whoever waits to write it to a process that died is let go.
  child.once(
    'exit',
    () =>
      void open(file, READ_NOW)
        .then((pipe) => pipe.close())
        .catch(() => undefined),
  );
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      child.emit('text');
    });
  }
  return { child, file, text: () => text };
}

/** Resolves when the proxy has it open for reading as well. */
async function openConfig({ file }: Starting): Promise<FileHandle> {
  return await open(file, 'w');
}

async function writeConfig(pipe: FileHandle): Promise<void> {
  await pipe.writeFile(CONFIG);
  await pipe.close();
}

async function says(proxy: Starting, words: string): Promise<void> {
  while (!proxy.text().includes(words)) {
    if (proxy.child.exitCode !== null || proxy.child.signalCode !== null) {
      throw new Error(`it ended (${proxy.child.signalCode ?? proxy.child.exitCode}): ${proxy.text()}`);
    }
    await Promise.race([once(proxy.child, 'text'), once(proxy.child, 'close')]);
  }
}

async function ended({ child }: Starting): Promise<{ readonly code: unknown; readonly signal: unknown }> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return { code: child.exitCode, signal: child.signalCode };
}

test('SIGHUP while it starts is a reload once it has started', async () => {
  const proxy = start();
  const pipe = await openConfig(proxy);
  proxy.child.kill('SIGHUP');
  await writeConfig(pipe);
  await says(proxy, 'serving pulls');
  await writeConfig(await openConfig(proxy));
  await says(proxy, 'configuration reloaded');
  proxy.child.kill('SIGTERM');
  expect(await ended(proxy)).toEqual({ code: 0, signal: null });
});

test('SIGHUP while its code is loaded is one too', async () => {
  const proxy = start('--import', HUP_WHILE_LOADING);
  await writeConfig(await openConfig(proxy));
  await says(proxy, 'serving pulls');
  await writeConfig(await openConfig(proxy));
  await says(proxy, 'configuration reloaded');
  proxy.child.kill('SIGTERM');
  expect(await ended(proxy)).toEqual({ code: 0, signal: null });
});

test.each(['SIGTERM', 'SIGINT'] as const)('%s while it starts ends it as when it serves', async (signal) => {
  const proxy = start();
  const pipe = await openConfig(proxy);
  proxy.child.kill(signal);
  await says(proxy, `received ${signal} before the proxy was ready; stopping`);
  // A read that hangs would keep the process, whatever it wants.
  await pipe.close();
  expect(await ended(proxy)).toEqual({ code: 0, signal: null });
  expect(proxy.text()).not.toContain('serving pulls');
});
