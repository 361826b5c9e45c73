using Microsoft.Win32.SafeHandles;

namespace Vfio;

/// <summary>
/// vfio-pci-core as a library: what a variant's override calls where the kernel's variant calls <c>vfio_pci_core_*</c>, and its only way
/// down to the function. Thread-safe like <see cref="VfioDevice"/>.
/// </summary>
public interface IVfioPciCore
{
    /// <summary>The function underneath.</summary>
    IPciFunction Function { get; }

    /// <summary>
    /// Enables the function: bus mastering off, reset, virtual configuration space built, BARs sized (<c>vfio_pci_core_enable</c>).
    /// </summary>
    /// <param name="context">With what the device is opened.</param>
    /// <param name="hooks">Whom to tell of resets, from now to the end of <see cref="CloseAsync"/>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>EAGAIN: the reset was refused for now. EBUSY: it is enabled. ENODEV: the function does not answer.</returns>
    ValueTask<VfioResult> EnableAsync(VfioOpenContext context, IPciResetHooks hooks, CancellationToken cancellationToken);

    /// <summary>
    /// Disables the function: interrupts off, regions dropped, reset, configuration as it was before (<c>vfio_pci_core_close_device</c>).
    /// </summary>
    /// <param name="cause"><see cref="ResetCause.Close"/> or <see cref="ResetCause.ClientLost"/>.</param>
    ValueTask CloseAsync(ResetCause cause);

    /// <inheritdoc cref="VfioDevice.Info"/>
    DeviceInfo Info { get; }

    /// <inheritdoc cref="VfioDevice.GetRegionInfo"/>
    VfioResult<RegionInfo> GetRegionInfo(int region);

    /// <inheritdoc cref="VfioDevice.GetIrqInfo"/>
    VfioResult<IrqInfo> GetIrqInfo(int index);

    /// <inheritdoc cref="VfioDevice.Read"/>
    VfioResult<int> Read(int region, ulong offset, Span<byte> destination);

    /// <inheritdoc cref="VfioDevice.Write"/>
    VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source);

    /// <inheritdoc cref="VfioDevice.Map"/>
    VfioResult<RegionMapping> Map(int region);

    /// <inheritdoc cref="VfioDevice.GetIoEventFds"/>
    VfioResult<IReadOnlyList<RegionIoEventFd>> GetIoEventFds(int region)
    {
        var info = GetRegionInfo(region);
        return info.IsSuccess ? new VfioResult<IReadOnlyList<RegionIoEventFd>>([]) : info.Error;
    }

    /// <inheritdoc cref="VfioDevice.SetIrqs"/>
    VfioResult<int> SetIrqs(in IrqSet set);

    /// <inheritdoc cref="VfioDevice.ResetAsync"/>
    ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken);

    /// <inheritdoc cref="VfioDevice.SetIoEventFd"/>
    VfioResult SetIoEventFd(int region, ulong offset, int width, ulong data, SafeFileHandle? eventFd);

    /// <inheritdoc cref="VfioDevice.GetHotResetInfo"/>
    VfioResult<HotResetInfo> GetHotResetInfo();

    /// <inheritdoc cref="VfioDevice.HotResetAsync"/>
    ValueTask<VfioResult> HotResetAsync(CancellationToken cancellationToken);

    /// <inheritdoc cref="VfioDevice.Feature"/>
    VfioResult<int> Feature(in FeatureRequest request, ReadOnlySpan<byte> input, Span<byte> output);

    /// <inheritdoc cref="VfioDevice.RequestRelease"/>
    void RequestRelease(int count);

    /// <summary>Adds a device-specific region (<c>vfio_pci_core_register_dev_region</c>); it lives until the device is closed.</summary>
    /// <param name="region">The region.</param>
    /// <returns>Its index; EINVAL if the device is not enabled.</returns>
    VfioResult<int> RegisterRegion(DeviceRegion region);

    /// <summary>Whether memory BARs answer: COMMAND enables memory, or the function is a VF, and its power state is above D3hot.</summary>
    bool MemoryEnabled { get; }

    /// <summary>Which IRQ index is enabled now; null for none.</summary>
    IrqIndex? ActiveIrqIndex { get; }
}

/// <summary>Who is told of a function's resets, from every cause.</summary>
public interface IPciResetHooks
{
    /// <summary>The function is about to be reset.</summary>
    /// <param name="cause">Why.</param>
    void ResetPrepare(ResetCause cause);

    /// <summary>
    /// The function has been reset and has its configuration back. Must not wait for a lock under which guest memory or a stream is
    /// touched.
    /// </summary>
    /// <param name="cause">Why.</param>
    void ResetDone(ResetCause cause);
}
