/** A scale from 0 to `top`, in steps that are round numbers of `unit`. */
export interface Axis {
  top: number;
  ticks: { value: number; label: string }[];
}

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** For bytes: with their unit. */
export function byteAxis(largest: number): Axis {
  const power = largest < 1 ? 0 : Math.min(byteUnits.length - 1, Math.floor(Math.log2(largest) / 10));
  return axis(largest, 1024 ** power, byteUnits[power] ?? '', 0.1);
}

/** For things that are counted. */
export function countAxis(largest: number): Axis {
  return axis(largest, 1, '', 1);
}

function axis(largest: number, factor: number, unit: string, least: number): Axis {
  const step = stepOf(largest / factor / 3, least);
  const steps = Math.max(1, Math.ceil(largest / factor / step));
  const ticks = Array.from({ length: steps + 1 }, (_, index) => {
    const value = Math.round(index * step * 10) / 10;
    return {
      value: value * factor,
      label: index === 0 ? '0' : `${value.toLocaleString('en-US')} ${unit}`.trim(),
    };
  });
  return { top: steps * step * factor, ticks };
}

/** The next of 1, 2, 5, 10, 20 … */
function stepOf(wanted: number, least: number): number {
  if (wanted <= least) return least;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const times = [1, 2, 5, 10].find((factor) => factor * power >= wanted * 0.999) ?? 10;
  return Math.max(least, times * power);
}
