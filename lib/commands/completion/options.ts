import type { Definitions } from '../../cli/options.js';
import { commonOptions } from '../shared/options/common.js';

const { output, logLevel, logFormat } = commonOptions;

export const completionOptions = { output, logLevel, logFormat } satisfies Definitions;
