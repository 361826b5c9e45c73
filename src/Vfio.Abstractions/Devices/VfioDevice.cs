using Microsoft.Win32.SafeHandles;

namespace Vfio;

/// <summary>
/// A VFIO device: what every front end speaks to, and the kernel's <c>vfio_device_ops</c>. A device with no PCI function under it derives
/// from this class; a variant of a PCI function from <see cref="VfioPciDevice"/>.
/// </summary>
/// <remarks>
/// Open and close alternate and are called by one front end at a time. Between them every other member may be called from many threads at
/// once, also while another thread resets the device. What a client can make fail returns an errno; an exception means that the device is
/// at fault.
/// </remarks>
public abstract class VfioDevice
{
    /// <summary>Opens the device: it is in the state of RUNNING, reset, with every interrupt off.</summary>
    /// <param name="context">With what.</param>
    /// <param name="cancellationToken">Gives up; the device is then closed.</param>
    /// <returns>EAGAIN: its reset was refused for now. ENODEV: it is gone or not ready. EBUSY: it is open.</returns>
    public abstract ValueTask<VfioResult> OpenAsync(VfioOpenContext context, CancellationToken cancellationToken);

    /// <summary>
    /// Closes the device, whatever it is doing: interrupts, DMA and data streams end before this returns. Does nothing if it is closed.
    /// </summary>
    /// <param name="cause"><see cref="ResetCause.Close"/> or <see cref="ResetCause.ClientLost"/>.</param>
    public abstract ValueTask CloseAsync(ResetCause cause);

    /// <summary>Kind and counts. Immutable between open and close.</summary>
    public abstract DeviceInfo Info { get; }

    /// <summary>A region.</summary>
    /// <param name="region">Region index.</param>
    /// <returns>The region, absent ones included; EINVAL past the last, or for a VGA region that is not there.</returns>
    public abstract VfioResult<RegionInfo> GetRegionInfo(int region);

    /// <summary>An IRQ index.</summary>
    /// <param name="index">IRQ index.</param>
    /// <returns>
    /// The index, those without interrupts included; EINVAL past the last, or for errors on a function that is not PCI Express.
    /// </returns>
    public abstract VfioResult<IrqInfo> GetIrqInfo(int index);

    /// <summary>Reads a region. Hot: synchronous, concurrent, allocates nothing.</summary>
    /// <param name="region">Region index.</param>
    /// <param name="offset">From the start of the region.</param>
    /// <param name="destination">Receives the bytes, as they lie in the region (little-endian registers).</param>
    /// <returns>The bytes read, fewer at the end of a BAR; EINVAL, EIO or EFAULT as the kernel's vfio-pci-core has it.</returns>
    public abstract VfioResult<int> Read(int region, ulong offset, Span<byte> destination);

    /// <summary>Writes a region. Hot: synchronous, concurrent, allocates nothing.</summary>
    /// <param name="region">Region index.</param>
    /// <param name="offset">From the start of the region.</param>
    /// <param name="source">The bytes.</param>
    /// <returns>The bytes written, fewer at the end of a BAR; EINVAL, EIO or EFAULT as the kernel's vfio-pci-core has it.</returns>
    public abstract VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source);

    /// <summary>How a region is mapped.</summary>
    /// <param name="region">Region index.</param>
    /// <returns>The mapping; EINVAL for a region that cannot be mapped.</returns>
    public virtual VfioResult<RegionMapping> Map(int region) => Errno.EINVAL;

    /// <summary>The eventfds that a client may signal in place of writes to a region (vfio-user's GET_REGION_IO_FDS).</summary>
    /// <param name="region">Region index.</param>
    /// <returns>The eventfds, in the order of their creation; none for most regions; EINVAL for no region at all.</returns>
    public virtual VfioResult<IReadOnlyList<RegionIoEventFd>> GetIoEventFds(int region)
    {
        var info = GetRegionInfo(region);
        return info.IsSuccess ? new VfioResult<IReadOnlyList<RegionIoEventFd>>([]) : info.Error;
    }

    /// <summary>Sets up, masks, unmasks, fires or tears down interrupts.</summary>
    /// <param name="set">The request. The device owns its descriptors, whatever it answers.</param>
    /// <returns>0, or the positive number of vectors that could be had; EINVAL and ENOTTY as the kernel has it.</returns>
    public abstract VfioResult<int> SetIrqs(in IrqSet set);

    /// <summary>Resets the device. Waits for no migration transfer.</summary>
    /// <param name="cause">Why.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>EINVAL: it cannot be reset. EAGAIN: busy. ETIMEDOUT: it did not come back.</returns>
    public abstract ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken);

    /// <summary>Binds an eventfd to a write: each time it is signalled, the device makes the write (VFIO_DEVICE_IOEVENTFD).</summary>
    /// <param name="region">A BAR.</param>
    /// <param name="offset">From its start; with the width inside it, and clear of the MSI-X table.</param>
    /// <param name="width">1, 2 or 4 bytes.</param>
    /// <param name="data">What is written.</param>
    /// <param name="eventFd">
    /// The eventfd, which stays the caller's: the device keeps a duplicate. Null removes the one with the same region, offset, width and
    /// data.
    /// </param>
    /// <returns>
    /// EINVAL: not such a place. EEXIST: there is one. ENODEV: there is none to remove. ENOSPC: there are 1000. ENOTTY: not with
    /// this device.
    /// </returns>
    public virtual VfioResult SetIoEventFd(int region, ulong offset, int width, ulong data, SafeFileHandle? eventFd) => Errno.ENOTTY;

    /// <summary>What a hot reset of the device's slot or bus would take with it (VFIO_DEVICE_GET_PCI_HOT_RESET_INFO).</summary>
    /// <returns>ENODEV: it has no slot or bus that could be reset. ENOTTY: not with this device.</returns>
    public virtual VfioResult<HotResetInfo> GetHotResetInfo() => Errno.ENOTTY;

    /// <summary>Resets the device's slot or bus (VFIO_DEVICE_PCI_HOT_RESET). Waits for nobody else's access or reset.</summary>
    /// <param name="cancellationToken">Gives up waiting for the functions to come back.</param>
    /// <returns>
    /// EINVAL: a function in it is not the caller's. EBUSY or EAGAIN: one of them is busy, try again. ENODEV: it has none. ENOTTY: not with
    /// this device.
    /// </returns>
    public virtual ValueTask<VfioResult> HotResetAsync(CancellationToken cancellationToken)
        => ValueTask.FromResult<VfioResult>(Errno.ENOTTY);

    /// <summary>A VFIO_DEVICE_FEATURE that none of the capabilities below answers.</summary>
    /// <param name="request">Which feature, and what of it.</param>
    /// <param name="input">The data that came with it.</param>
    /// <param name="output">Receives the data that goes back.</param>
    /// <returns>The bytes that go back. ENOTTY: no such feature here; that comes before any other check.</returns>
    public virtual VfioResult<int> Feature(in FeatureRequest request, ReadOnlySpan<byte> input, Span<byte> output) => Errno.ENOTTY;

    /// <summary>Asks the client to give the device back: called again, with a growing count, until it is closed.</summary>
    /// <param name="count">How often it has been asked before.</param>
    public virtual void RequestRelease(int count)
    {
    }

    /// <summary>How the device migrates; null: it does not. Fixed while the device exists.</summary>
    public virtual IMigration? Migration => null;

    /// <summary>
    /// The device's migration as its front end drives it; null: it does not migrate. The host makes it of <see cref="Migration"/>; a device
    /// overrides this only where it stands for another that has the state machine already.
    /// </summary>
    public virtual IMigrationOps? MigrationOps => null;

    /// <summary>
    /// The device's own log of its DMA writes; null: it has none (see <see cref="IsDmaMediated"/>). Fixed while the device exists.
    /// </summary>
    public virtual IDmaLogging? DmaLogging => null;

    /// <summary>
    /// Whether all DMA of the device goes through the space that it was opened with, so that the writes can be logged there
    /// (<see cref="IDmaSpace.WriteLog"/>). Fixed while the device exists.
    /// </summary>
    public virtual bool IsDmaMediated => false;

    /// <summary>
    /// Raised when the device has been reset, whatever the cause, its opening and closing included. Handlers must not block.
    /// </summary>
    public event Action<ResetCause>? WasReset;

    /// <summary>
    /// Says that the device has been reset. A device that derives from this class directly calls it at the end of each reset.
    /// </summary>
    /// <param name="cause">Why.</param>
    protected void RaiseWasReset(ResetCause cause) => WasReset?.Invoke(cause);

    /// <summary>The personalities that the device can be given before it is opened; null: only the native one.</summary>
    public virtual IProfiles? Profiles => null;

    /// <summary>What the variant has to say of itself, for people: name and value, in an order that reads well.</summary>
    public virtual IEnumerable<KeyValuePair<string, string>> Describe() => [];
}
