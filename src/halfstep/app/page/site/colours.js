// Levels to colours that grow evenly lighter (or, on a light page, darker) to the eye: matplotlib's magma (CC0).
const MAGMA = [
  [0, 0, 4], [24, 15, 62], [69, 16, 119], [114, 31, 129], [159, 47, 127],
  [205, 64, 113], [241, 96, 93], [253, 149, 103], [254, 202, 141], [252, 253, 191],
];

/** 256 colours as bytes [256 * 4]. `light`: from the page's own white down to magma's dark end. */
export function colourTable(light) {
  const table = new Uint8ClampedArray(256 * 4);
  for (let level = 0; level < 256; level++) {
    // On a light page the row runs backwards, without its yellow end, out of the page's own ground.
    const place = light ? (1 - level / 255) * 9 : (level / 255) * 9;
    const low = Math.min(8, Math.floor(place)), share = place - low;
    for (let part = 0; part < 3; part++) {
      let value = MAGMA[low][part] * (1 - share) + MAGMA[low + 1][part] * share;
      if (light) {
        const ground = [255, 253, 250][part], near = Math.max(0, 1 - level / 110);
        value = value * (1 - near) + ground * near;
      }
      table[level * 4 + part] = value;
    }
    table[level * 4 + 3] = 255;
  }
  return table;
}
