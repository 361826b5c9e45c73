using BenchmarkDotNet.Attributes;
using Vfio.Core;

namespace Vfio.Benchmarks;

/// <summary>
/// One access of 4 bytes, from an embedding host through a variant's override and the core, beside the same access made straight to the
/// function.
/// </summary>
public class AccessInProcess
{
    private readonly byte[] _bytes = new byte[4];
    private IPciFunction _function = null!;
    private readonly int _register = 8;
    private IPciBar _bar = null!;
    private PatchingDevice _device = null!;

    /// <summary>Opens a device.</summary>
    [GlobalSetup]
    public async Task Open()
    {
        _function = new MemoryFunction();
        _bar = _function.Bar(0)!;
        _device = new PatchingDevice(new VfioPciCore(_function));
        var opened = await _device.OpenAsync(new() { Dma = new DmaSpace() }, CancellationToken.None);
        if (!opened.IsSuccess)
            throw new VfioException(opened.Error, "the device did not open");
    }

    /// <summary>Closes it.</summary>
    [GlobalCleanup]
    public async Task Close() => await _device.CloseAsync(ResetCause.Close);

    /// <summary>The function's own register.</summary>
    [Benchmark]
    public ulong RawBarRead() => _bar.Read(8, 4);

    /// <summary>The same register through the device.</summary>
    [Benchmark]
    public int BarRead() => _device.Read(0, 8, _bytes).Value;

    /// <summary>A write of it through the device.</summary>
    [Benchmark]
    public int BarWrite() => _device.Write(0, 8, _bytes).Value;

    /// <summary>The function's own configuration register.</summary>
    [Benchmark]
    public uint RawConfigRead() => _function.ReadConfig(_register, 4);

    /// <summary>The same register through the device: it is the hardware's.</summary>
    [Benchmark]
    public int ConfigReadOfHardware() => _device.Read(RegionIndex.Config, 8, _bytes).Value;

    /// <summary>A register that the core keeps itself.</summary>
    [Benchmark]
    public int ConfigReadOfVirtual() => _device.Read(RegionIndex.Config, 0x10, _bytes).Value;
}
