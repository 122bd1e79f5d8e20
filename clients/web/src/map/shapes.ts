/** Outlines of the twelve node shapes. Numbers are those of weft.query.v1.Shape. */

type Tracer = Pick<CanvasPath, 'moveTo' | 'lineTo' | 'arc' | 'ellipse' | 'closePath' | 'bezierCurveTo'>

const SIDES: Record<number, number> = { 2: 3, 3: 3, 5: 5, 6: 6, 7: 7, 8: 8 }
/** Polygons fill less of their circle than a circle does; these factors make all shapes look equally big. */
const GROWTH: Record<number, number> = { 2: 1.22, 3: 1.22, 4: 0.88, 5: 1.08, 6: 1.06, 7: 1.04, 8: 1.04 }

export function isDotted(shape: number): boolean {
  return shape === 3 || shape === 11
}

function polygon(path: Tracer, x: number, y: number, r: number, sides: number): void {
  for (let i = 0; i < sides; i++) {
    const angle = (i / sides) * 2 * Math.PI - Math.PI / 2
    const px = x + r * Math.cos(angle)
    const py = y + r * Math.sin(angle)
    if (i === 0) path.moveTo(px, py)
    else path.lineTo(px, py)
  }
  path.closePath()
}

function square(path: Tracer, x: number, y: number, half: number): void {
  const corner = half * 0.24
  path.moveTo(x - half + corner, y - half)
  path.lineTo(x + half - corner, y - half)
  path.arc(x + half - corner, y - half + corner, corner, -Math.PI / 2, 0)
  path.lineTo(x + half, y + half - corner)
  path.arc(x + half - corner, y + half - corner, corner, 0, Math.PI / 2)
  path.lineTo(x - half + corner, y + half)
  path.arc(x - half + corner, y + half - corner, corner, Math.PI / 2, Math.PI)
  path.lineTo(x - half, y - half + corner)
  path.arc(x - half + corner, y - half + corner, corner, Math.PI, 1.5 * Math.PI)
  path.closePath()
}

function cloud(path: Tracer, x: number, y: number, r: number): void {
  path.moveTo(x - r * 0.7, y + r * 0.62)
  path.bezierCurveTo(x - r * 1.35, y + r * 0.62, x - r * 1.35, y - r * 0.22, x - r * 0.74, y - r * 0.2)
  path.bezierCurveTo(x - r * 0.72, y - r * 0.98, x + r * 0.3, y - r * 1.02, x + r * 0.44, y - r * 0.36)
  path.bezierCurveTo(x + r * 1.3, y - r * 0.5, x + r * 1.42, y + r * 0.62, x + r * 0.66, y + r * 0.62)
  path.closePath()
}

function cylinder(path: Tracer, x: number, y: number, r: number): void {
  const half = r * 0.82
  const lip = r * 0.28
  path.moveTo(x - half, y - r + lip)
  path.bezierCurveTo(x - half, y - r - lip * 0.3, x + half, y - r - lip * 0.3, x + half, y - r + lip)
  path.lineTo(x + half, y + r - lip)
  path.bezierCurveTo(x + half, y + r + lip * 0.3, x - half, y + r + lip * 0.3, x - half, y + r - lip)
  path.closePath()
}

function sheet(path: Tracer, x: number, y: number, r: number): void {
  const half = r * 0.78
  const fold = r * 0.44
  path.moveTo(x - half, y - r)
  path.lineTo(x + half - fold, y - r)
  path.lineTo(x + half, y - r + fold)
  path.lineTo(x + half, y + r)
  path.lineTo(x - half, y + r)
  path.closePath()
}

export function traceShape(path: Tracer, shape: number, x: number, y: number, radius: number): void {
  const r = radius * (GROWTH[shape] ?? 1)
  const sides = SIDES[shape]
  if (sides !== undefined) polygon(path, x, sides === 3 ? y + r * 0.14 : y, r, sides)
  else if (shape === 4) square(path, x, y, r)
  else if (shape === 9) cloud(path, x, y, r)
  else if (shape === 10 || shape === 11) cylinder(path, x, y, r)
  else if (shape === 12) sheet(path, x, y, r)
  else {
    path.moveTo(x + r, y)
    path.arc(x, y, r, 0, 2 * Math.PI)
  }
}

/** The same outline for an SVG icon of 20 by 20. */
export function shapePath(shape: number): string {
  const parts: string[] = []
  const f = (value: number) => value.toFixed(2)
  const tracer: Tracer = {
    moveTo: (x, y) => parts.push(`M${f(x)} ${f(y)}`),
    lineTo: (x, y) => parts.push(`L${f(x)} ${f(y)}`),
    bezierCurveTo: (a, b, c, d, x, y) => parts.push(`C${f(a)} ${f(b)} ${f(c)} ${f(d)} ${f(x)} ${f(y)}`),
    arc: (x, y, r, from, to) => {
      if (to - from > 6) {
        parts.push(`A${f(r)} ${f(r)} 0 1 1 ${f(x - r)} ${f(y)}A${f(r)} ${f(r)} 0 1 1 ${f(x + r)} ${f(y)}`)
      } else parts.push(`A${f(r)} ${f(r)} 0 0 1 ${f(x + r * Math.cos(to))} ${f(y + r * Math.sin(to))}`)
    },
    ellipse: () => undefined,
    closePath: () => parts.push('Z'),
  }
  traceShape(tracer, shape, 10, 10, 7)
  return parts.join('')
}
