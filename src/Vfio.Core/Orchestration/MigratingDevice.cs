namespace Vfio.Core;

/// <summary>A device that is moved, or that takes the place of one: open, and driven by nobody else meanwhile.</summary>
/// <param name="Name">What people call it: a PCI address. Each side has its own names; those of one set differ.</param>
/// <param name="Operations">Its migration.</param>
/// <param name="Identity">
/// What must be the same on both sides: vendor, device and subsystem ids, as a text. Empty where nothing is known; then it is not compared.
/// </param>
public sealed record MigratingDevice(string Name, IMigrationOps Operations, string Identity = "");
