using System.Buffers.Binary;

namespace Vfio.User.Remote;

/// <summary>
/// A function that another process serves over vfio-user. It is reached while <see cref="Virtualized"/> is open. While that is closed it
/// answers what cannot change from what discovery read, its configuration space included, and fails the rest with ENOTCONN. Thread-safe.
/// </summary>
internal sealed class VfioUserFunction : IPciFunction
{
    private readonly string _socket;
    private readonly VfioUserDevice _device;
    private readonly RemoteSnapshot _snapshot;
    private readonly RemoteBar?[] _bars = new RemoteBar?[RegionIndex.Rom + 1];

    public VfioUserFunction(string socket, PciAddress address, VfioUserDevice device, RemoteSnapshot snapshot)
    {
        _socket = socket;
        _device = device;
        _snapshot = snapshot;
        Address = address;
        Interrupts = new RemoteInterrupts(device, snapshot);
        for (var i = 0; i < _bars.Length; i++)
        {
            if (snapshot.Region(i).Size != 0)
                _bars[i] = new RemoteBar(this, i, snapshot);
        }
    }

    public PciAddress Address { get; }

    public PciId Id => _snapshot.Id;

    public string? Model => "vfio-user";

    public FunctionVirtualization Virtualization => FunctionVirtualization.ByKernel;

    public VfioDevice Virtualized => _device;

    public PciAddress? PhysicalFunction => null;

    public int VirtualFunctionIndex => -1;

    public int ConfigSize => _snapshot.ConfigSize;

    public IInterruptLines Interrupts { get; }

    public bool IsDmaMediated => _device.IsDmaMediated;

    /// <summary>What DEVICE_RESET does is its server's.</summary>
    public IReadOnlyList<FunctionResetMethod> ResetMethods => _snapshot.Resets ? [FunctionResetMethod.DeviceSpecific] : [];

    public uint ReadConfig(int offset, int width)
        => IsOpen ? (uint)Read(RegionIndex.Config, (ulong)offset, width) : _snapshot.Config(offset, width);

    public void WriteConfig(int offset, int width, uint value) => Write(RegionIndex.Config, (ulong)offset, width, value);

    public IPciBar? Bar(int index) => (uint)index < (uint)_bars.Length ? _bars[index] : null;

    public async ValueTask<VfioResult> ResetAsync(FunctionResetMethod method, CancellationToken cancellationToken)
    {
        if (method != FunctionResetMethod.DeviceSpecific || !_snapshot.Resets)
            return Errno.ENOTTY;
        return IsOpen ? await _device.ResetAsync(ResetCause.DeviceReset, cancellationToken).ConfigureAwait(false) : Errno.ENOTCONN;
    }

    /// <exception cref="VfioException">EOPNOTSUPP: its memory is what <see cref="Virtualized"/> is opened with.</exception>
    public void ConnectDma(IDmaSpace? dma)
    {
        if (dma is not null)
            throw new VfioException(Errno.EOPNOTSUPP, $"{Address}: the memory of a remote function is what its device is opened with");
    }

    /// <summary>A register; all ones where the server does not answer.</summary>
    /// <exception cref="VfioException">ENOTCONN: the device is closed.</exception>
    public ulong Read(int region, ulong offset, int width)
    {
        ThrowIfClosed();
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        bytes.Clear();
        var read = _device.Read(region, offset, bytes[..width]);
        return read is { IsSuccess: true } && read.Value == width
            ? BinaryPrimitives.ReadUInt64LittleEndian(bytes)
            : ulong.MaxValue >> (64 - (8 * width));
    }

    /// <summary>A register; what the server does not take is lost.</summary>
    /// <exception cref="VfioException">ENOTCONN: the device is closed.</exception>
    public void Write(int region, ulong offset, int width, ulong value)
    {
        ThrowIfClosed();
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        _ = _device.Write(region, offset, bytes[..width]);
    }

    /// <summary>How a region is mapped now; null while it is not.</summary>
    public RegionMapping? Map(int region) => IsOpen && _device.Map(region) is { IsSuccess: true } mapped ? mapped.Value : null;

    private bool IsOpen => _device.Client is not null;

    private void ThrowIfClosed()
    {
        if (!IsOpen)
        {
            throw new VfioException(
                Errno.ENOTCONN, $"{Address}: the remote function on {_socket} is reached only while its device is open (ENOTCONN)");
        }
    }
}
