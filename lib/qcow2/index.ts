export { Qcow2Error, type Qcow2ErrorCode } from './errors.js';
export { ExtentList } from './extents.js';
export { planLayout, type Layout, type LayoutRequest } from './layout.js';
export type { Range } from './ranges.js';
export { openImage, type ImageReader, type Piece, type ReadOptions } from './read.js';
export { writeImage, type Sink, type Source } from './write.js';
