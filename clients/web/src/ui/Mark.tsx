/** The sign of a weave. */
export function Mark({ size = 20 }: { size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 32 32"
      fill="none"
      strokeLinecap="round"
      strokeWidth="3.4"
      aria-hidden="true"
    >
      <path d="M4 10h9M19 10h9M4 22h9M19 22h9M4 16h24" stroke="var(--accent)" />
      <path d="M10 4v9M10 19v9M22 4v9M22 19v9M16 4v9M16 19v9" stroke="var(--incoming)" />
    </svg>
  )
}
