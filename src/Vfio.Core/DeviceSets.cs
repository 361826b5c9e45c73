using System.Collections.Concurrent;
using Vfio.Core.Sets;

namespace Vfio.Core;

/// <summary>
/// The vfio devices of a process that must know of each other: those of one slot or bus, which a hot reset takes all together, and a PF
/// with its VFs, which share a token. Thread-safe. Source: the kernel's <c>vfio_device_set</c> and <c>vfio_pci_vf_token</c>.
/// </summary>
/// <remarks>
/// A function is in once a core was made over it: that is what the kernel has as bound to a vfio driver. It is open while that core is
/// enabled. Functions and tokens are kept for as long as this object is.
/// </remarks>
public sealed class DeviceSets
{
    private readonly ConcurrentDictionary<PciAddress, SetMember> _members = [];
    private readonly ConcurrentDictionary<PciAddress, VfToken> _tokens = [];
    private int _lastDeviceId;

    /// <summary>
    /// Gives a PF its token before it is opened, as opening it with one does: its VFs may then be opened first, with that token.
    /// </summary>
    /// <param name="physicalFunction">The PF.</param>
    /// <param name="token">The token.</param>
    /// <returns>EACCES: VFs of it are in use with another.</returns>
    public VfioResult GiveVfToken(PciAddress physicalFunction, Guid token) => TokenOf(physicalFunction).Offer(token);

    /// <summary>A core was made over a function.</summary>
    internal SetMember Join(IPciFunction function)
    {
        var member = _members.GetOrAdd(function.Address, static (_, first) => new SetMember(first), function);
        member.Function = function;
        return member;
    }

    /// <summary>The function at an address; null if no core was made over one.</summary>
    internal SetMember? Find(PciAddress address) => _members.GetValueOrDefault(address);

    /// <summary>The token of a PF.</summary>
    internal VfToken TokenOf(PciAddress physicalFunction) => _tokens.GetOrAdd(physicalFunction, static _ => new VfToken());

    /// <summary>A number for a device that is being opened, as iommufd gives out.</summary>
    internal int NextDeviceId() => Interlocked.Increment(ref _lastDeviceId);
}
