/** Lets this process import the tests as they stand: TypeScript, and `@jest/globals` outside jest. */
import { register } from 'node:module';

register('./hooks.js', import.meta.url);
