using Microsoft.Extensions.Logging.Abstractions;
using Vfio.Core;
using Vfio.OracleReplay.Hardware;

namespace Vfio.OracleReplay;

/// <summary>A recorded function behind the core and the generic driver, open.</summary>
internal sealed class OpenDevice : IAsyncDisposable
{
    private static readonly GenericDriver Driver = new();

    private OpenDevice(RecordedFunction function, VfioDevice device)
    {
        Function = function;
        Device = device;
    }

    public RecordedFunction Function { get; }

    public VfioDevice Device { get; }

    /// <summary>The device that the generic driver binds; not open.</summary>
    public static async ValueTask<VfioDevice> BindAsync(RecordedFunction function)
    {
        var context = new ProbeContext
        {
            Core = new VfioPciCore(function), Controllers = new NoControllers(), Logger = NullLogger.Instance,
        };
        var probe = await Driver.ProbeAsync(context, CancellationToken.None).ConfigureAwait(false);
        return probe.Device ?? throw new InvalidOperationException($"the generic driver refuses the function: {probe.Reason}");
    }

    public static async ValueTask<OpenDevice> OpenAsync(RecordedHardware hardware)
    {
        var function = new RecordedFunction(hardware);
        var device = await BindAsync(function).ConfigureAwait(false);
        var result = await device.OpenAsync(new() { Dma = new DmaSpace() }, CancellationToken.None).ConfigureAwait(false);
        return result.IsSuccess ? new(function, device)
            : throw new VfioException(result.Error, $"the core does not open {hardware.Name}: {result.Error}");
    }

    public int Read(int region, ulong offset, Span<byte> destination) => Rows.Results.Recorded(Device.Read(region, offset, destination));

    public int Write(int region, ulong offset, ReadOnlySpan<byte> source) => Rows.Results.Recorded(Device.Write(region, offset, source));

    /// <summary>Reads a register of virtual configuration space.</summary>
    public uint ReadConfig(int offset, int width)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        Read(RegionIndex.Config, (ulong)offset, bytes[..width]);
        return ConfigBytes.Load(bytes, 0, sizeof(uint));
    }

    public void WriteConfig(int offset, int width, uint value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        ConfigBytes.Store(bytes, 0, sizeof(uint), value);
        Write(RegionIndex.Config, (ulong)offset, bytes[..width]);
    }

    public ValueTask DisposeAsync() => Device.CloseAsync(ResetCause.Close);

    private sealed class NoControllers : IControllingFunctions
    {
        public IControllingFunction? Of(PciAddress controlled) => null;
    }
}
