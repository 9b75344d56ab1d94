/** `check`: validates a configuration file and the files it names. */
import { ConfigError, formatFault } from '../config/errors.ts';
import { loadConfig } from '../config/load-config.ts';
import type { Config } from '../config/types.ts';
import type { CommandIo } from './io.ts';

/** @returns the exit code: 0 when the configuration holds; 1 when it does not, after one line for each fault. */
export async function runCheck(configPath: string, io: CommandIo): Promise<number> {
  try {
    const config = await loadConfig(configPath);
    io.out(summary(configPath, config));
    for (const line of warnings(config)) io.err(line);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const fault of error.faults) io.err(formatFault(fault));
    for (const line of error.example?.trimEnd().split('\n') ?? []) io.err(line);
    return 1;
  }
}

/** What is valid and weaker than it looks. */
function warnings({ policy }: Config): readonly string[] {
  return policy.rules.flatMap(({ name, signers }) => {
    const pinned = new Set(signers?.pins?.map((pin) => pin.name));
    const open = signers?.names.filter((signer) => !pinned.has(signer)) ?? [];
    if (open.length === 0) return [];
    return [
      `warning: rule ${name} names the signers ${open.join(', ')} without keys, so the holder of a repository's key can declare them; write { name: ${open[0]}, keys: [ID] } with the key IDs that "pullwarden inspect IMAGE" prints`,
    ];
  });
}

function summary(path: string, { registries, policy, trust, hash }: Config): string {
  const counts = [
    count(registries.length, 'registry', 'registries'),
    count(policy.rules.length, 'rule', 'rules'),
    count(trust.pins.length, 'pin', 'pins'),
  ];
  return `${path} holds: ${counts.join(', ')} (policy ${hash})`;
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}
