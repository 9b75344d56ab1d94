/** Signals and reloads that come too early, too often or too late. */
import { EventEmitter } from 'node:events';
import { expect, test } from '@jest/globals';
import { createReloads } from '../../proxy/commands/reload.ts';
import { catchSignals } from '../../proxy/commands/signals.ts';

test('signals to stop are remembered in their order until somebody asks', async () => {
  const process = new EventEmitter();
  const signals = catchSignals(process);
  process.emit('SIGTERM');
  process.emit('SIGINT');
  expect([await signals.stop, await signals.stopAtOnce]).toEqual(['SIGTERM', 'SIGINT']);
});

test('one signal to stop is not two', async () => {
  const process = new EventEmitter();
  const signals = catchSignals(process);
  process.emit('SIGTERM');
  await signals.stop;
  expect(await Promise.race([signals.stopAtOnce, Promise.resolve('open')])).toBe('open');
});

test('signals stay caught after they came: without a listener the next one would kill the process', async () => {
  const process = new EventEmitter();
  const signals = catchSignals(process);
  signals.onReload(() => undefined);
  for (const signal of ['SIGHUP', 'SIGTERM', 'SIGTERM', 'SIGTERM']) expect(process.emit(signal)).toBe(true);
  await signals.stopAtOnce;
  for (const signal of ['SIGHUP', 'SIGTERM', 'SIGINT']) expect(process.listenerCount(signal)).toBe(1);
});

test('however many SIGHUPs came early, they are one reload; later ones are one each', () => {
  const process = new EventEmitter();
  const signals = catchSignals(process);
  process.emit('SIGHUP');
  process.emit('SIGHUP');
  let reloads = 0;
  signals.onReload(() => {
    reloads += 1;
  });
  expect(reloads).toBe(1);
  process.emit('SIGHUP');
  expect(reloads).toBe(2);
});

test('without an early SIGHUP there is no reload', () => {
  let reloads = 0;
  catchSignals(new EventEmitter()).onReload(() => {
    reloads += 1;
  });
  expect(reloads).toBe(0);
});

/** Reloads that end when they are told to. */
function controlled() {
  const open: (() => void)[] = [];
  const ended: boolean[] = [];
  const reloads = createReloads(async (hasEnded) => {
    await new Promise<void>((resolve) => open.push(resolve));
    ended.push(hasEnded());
  });
  const finish = async () => {
    open.shift()?.();
    await new Promise(setImmediate);
  };
  return { reloads, open, ended, finish };
}

test('reloads never overlap: those asked for meanwhile are one more, after it', async () => {
  const { reloads, open, ended, finish } = controlled();
  reloads.request();
  reloads.request();
  reloads.request();
  expect(open).toHaveLength(1);
  await finish();
  expect(open).toHaveLength(1);
  await finish();
  expect(open).toHaveLength(0);
  reloads.request();
  expect(open).toHaveLength(1);
  await finish();
  expect(ended).toEqual([false, false, false]);
});

test('after the end none begins, and the one under way is told', async () => {
  const { reloads, open, ended, finish } = controlled();
  reloads.request();
  reloads.request();
  reloads.end();
  await finish();
  expect(ended).toEqual([true]);
  reloads.request();
  expect(open).toHaveLength(0);
});
