/** `check`: validates a configuration file and the files it names. */
import { ConfigError, formatFault } from '../config/errors.ts';
import { checkConfig } from '../config/load-config.ts';
import type { Config } from '../config/types.ts';
import type { CommandIo } from './io.ts';

/** @returns the exit code: 0 when the configuration holds; 1 when it does not, after one line for each fault. */
export async function runCheck(configPath: string, io: CommandIo): Promise<number> {
  try {
    const { config, warnings } = await checkConfig(configPath);
    io.out(summary(configPath, config));
    for (const warning of warnings) io.err(`warning: ${formatFault(warning)}`);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const fault of error.faults) io.err(formatFault(fault));
    for (const line of error.example?.trimEnd().split('\n') ?? []) io.err(line);
    return 1;
  }
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
