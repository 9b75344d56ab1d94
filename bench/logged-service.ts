import { readFile } from 'node:fs/promises';
import { type Service, type ServiceSpec, startService } from '../test/real/process.ts';

/** Characters of the log that are shown when a service does not start. */
const SHOWN = 4000;

/**
 * Starts a service whose output goes to a file, as it does in production: nobody here has to read it, and writing
 * it still costs the service what it costs.
 */
export async function startLogged(file: string, spec: ServiceSpec): Promise<Service> {
  const args = ['-c', 'exec "$@" > "$0" 2>&1', file, spec.command, ...spec.args];
  try {
    return await startService({ ...spec, command: 'sh', args });
  } catch (cause) {
    const log = await readFile(file, 'utf8').catch(() => '');
    throw new Error(`${spec.name} did not start:\n${log.slice(-SHOWN)}`, { cause });
  }
}
