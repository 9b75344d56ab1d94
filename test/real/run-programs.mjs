/**
 * Runs programs for `process.ts`. Starting one copies the page tables of the process that starts it: from jest, with
 * hundreds of megabytes, it takes five times as long as from here. Plain JavaScript, as Node runs it without jest.
 */
import { spawn } from 'node:child_process';

process.on('disconnect', () => process.exit());
process.on('message', ({ id, command, args, options, input }) => {
  const child = spawn(command, args, { ...options, killSignal: 'SIGKILL' });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  // A program that never reads its input breaks the pipe; its status tells what happened.
  child.stdin.on('error', () => undefined).end(input);
  child.on('error', (error) => process.send({ id, failure: error.message }));
  child.on('close', (code) => process.send({ id, result: { status: code ?? 128, stdout, stderr } }));
});
