/** A configuration file → a validated, frozen `Config`, or every fault it has. */
import { dirname, resolve } from 'node:path';
import { configSchema } from './config-schema.ts';
import { crossCheck } from './cross-checks.ts';
import { ConfigError, type ConfigFault, type Finding, formatPath } from './errors.ts';
import { readNamedFiles } from './named-files.ts';
import { MAX_FILE_BYTES, readBounded, readFault } from './read-bounded.ts';
import { toFindings } from './schema-findings.ts';
import { SMALLEST_CONFIG } from './smallest.ts';
import { toConfig } from './to-config.ts';
import type { Config } from './types.ts';
import { weakPoints } from './weak-points.ts';
import { readYaml, type YamlSource } from './yaml-source.ts';

export type CheckedConfig = {
  readonly config: Config;
  /** Settings that are valid and weaker than they look, in the order of the file. */
  readonly warnings: readonly ConfigFault[];
};

/** `checkConfig` without its warnings. @throws ConfigError with every fault found. */
export async function loadConfig(path: string): Promise<Config> {
  return (await checkConfig(path)).config;
}

/**
 * Reads and checks a configuration file and the files it names.
 *
 * @param path as it was given; faults show it unchanged. Relative paths inside the file start at its folder.
 * @throws ConfigError with every fault found.
 */
export async function checkConfig(path: string): Promise<CheckedConfig> {
  const source = parse(path, await read(path));
  const file = resolve(path);
  const parsed = configSchema.safeParse(source.value);
  const named = await readNamedFiles(source.value, dirname(file));
  const found = parsed.success
    ? []
    : toFindings(parsed.error.issues, { schema: configSchema, value: source.value });
  const findings = [...source.findings, ...found, ...crossCheck(source.value), ...named.findings];
  if (!parsed.success || findings.length > 0) throw new ConfigError(inOrder(path, findings, source));
  const warnings = inOrder(path, weakPoints(source.value), source);
  return { config: toConfig(file, parsed.data, named), warnings };
}

async function read(path: string): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readBounded(path, MAX_FILE_BYTES));
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): ConfigError {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') {
    const next = 'create it, or name another with --config; the smallest that works:';
    return new ConfigError([wholeFile(path, 'there is no such configuration file', next)], SMALLEST_CONFIG);
  }
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') {
    return new ConfigError([wholeFile(path, 'the file is not UTF-8 text', 'save it as UTF-8')]);
  }
  const next = 'make it a readable file';
  return new ConfigError([
    wholeFile(path, `the configuration cannot be read: ${readFault(error).why}`, next),
  ]);
}

function parse(path: string, text: string): YamlSource {
  const result = readYaml(text);
  if (result.kind === 'broken') {
    throw new ConfigError(result.faults.map((fault) => ({ file: path, path: '', ...fault })));
  }
  if (result.source.value === null) {
    const next = 'write at least the smallest that works:';
    throw new ConfigError([wholeFile(path, 'the configuration is empty', next)], SMALLEST_CONFIG);
  }
  return result.source;
}

function wholeFile(file: string, what: string, next: string): ConfigFault {
  return { file, line: 0, column: 0, path: '', what, next };
}

function inOrder(file: string, findings: readonly Finding[], source: YamlSource): readonly ConfigFault[] {
  return findings
    .map(({ path, what, next }) => ({ file, ...source.locate(path), path: formatPath(path), what, next }))
    .sort((a, b) => a.line - b.line || a.column - b.column);
}
