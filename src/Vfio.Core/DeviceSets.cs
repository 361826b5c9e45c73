namespace Vfio.Core;

/// <summary>
/// The vfio devices of a process that must know of each other: those of one slot or bus, which a hot reset takes all together, and a PF with
/// its VFs, which share a token. Thread-safe. Source: the kernel's <c>vfio_device_set</c> and <c>vfio_pci_vf_token</c>.
/// </summary>
public sealed class DeviceSets
{
}
