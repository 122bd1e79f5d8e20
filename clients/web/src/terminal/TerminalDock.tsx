export default function TerminalDock() {
  return null
}
