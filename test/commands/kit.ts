/** What the command tests share: the demo's servers behind a configuration file of their own. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommandIo } from '../../proxy/commands/io.ts';
import { type DemoWorld, startDemoWorld } from '../../proxy/demo/world.ts';

export const IMAGE = 'registry.example.com/shop/web';

export type CommandWorld = DemoWorld & {
  readonly folder: string;
  readonly file: string;
  readonly out: string[];
  readonly err: string[];
  readonly io: CommandIo;
  /** Writes the configuration, with these lines in its `trust` section. */
  configure(...trustLines: readonly string[]): Promise<void>;
};

export async function startCommandWorld(): Promise<CommandWorld> {
  const world = await startDemoWorld();
  const folder = await mkdtemp(join(tmpdir(), 'pullwarden-commands-'));
  const file = join(folder, 'pullwarden.yaml');
  const out: string[] = [];
  const err: string[] = [];
  const configure = (...trustLines: readonly string[]) =>
    writeFile(
      file,
      [
        '# kept by hand',
        'listen: { address: 127.0.0.1, port: 0 }',
        'admin: { address: 127.0.0.1, port: 0 }',
        'defaultRegistry: registry.example.com',
        'registries:',
        `  - { name: registry.example.com, upstream: "${world.registry.url}", trust: { server: "${world.notary.url}" } }`,
        'trust:',
        ...trustLines.map((line) => `  ${line}`),
        'policy:',
        '  rules:',
        '    - { name: all, match: registry.example.com/**, mode: enforce } # the only one',
        '',
      ].join('\n'),
    );
  const stop = async () => {
    await world.stop();
    await rm(folder, { recursive: true, force: true });
  };
  return {
    ...world,
    folder,
    file,
    out,
    err,
    io: { out: (line) => out.push(line), err: (line) => err.push(line) },
    configure,
    stop,
  };
}
