using BenchmarkDotNet.Attributes;
using Vfio.Core;
using Vfio.Native;

namespace Vfio.Benchmarks;

/// <summary>
/// Accesses of 4 bytes to a BAR that the device, its variant asked, lets this process map, beside the same accesses to memory of the same
/// kind that no device has anything to do with.
/// </summary>
public class MappedBarInProcess
{
    // One alone is too short to be told from nothing.
    private const int Accesses = 64;
    private const int Register = 8;
    private PatchingDevice _device = null!;
    private nint _mapped;
    private nint _raw;

    /// <summary>Opens the device and maps its BAR.</summary>
    [GlobalSetup]
    public async Task Open()
    {
        _device = new PatchingDevice(new VfioPciCore(new MemoryFunction()));
        var opened = await _device.OpenAsync(new() { Dma = new DmaSpace() }, CancellationToken.None);
        var mapping = _device.Map(0);
        if (!opened.IsSuccess || !mapping.IsSuccess || mapping.Value.Address == 0)
            throw new VfioException(mapping.Error, "the device did not open, or its BAR is not mapped");
        _mapped = mapping.Value.Address + Register;
        _raw = new SharedPage().Address + Register;
    }

    /// <summary>Closes it.</summary>
    [GlobalCleanup]
    public async Task Close() => await _device.CloseAsync(ResetCause.Close);

    /// <summary>A load through a pointer.</summary>
    [Benchmark(OperationsPerInvoke = Accesses)]
    public uint RawPointerRead() => ReadByPointer(_raw);

    /// <summary>The same, of the BAR.</summary>
    [Benchmark(OperationsPerInvoke = Accesses)]
    public uint MappedPointerRead() => ReadByPointer(_mapped);

    /// <summary>A load by the accessor that keeps registers' widths: one call more.</summary>
    [Benchmark(OperationsPerInvoke = Accesses)]
    public uint RawMmioRead() => ReadByMmio(_raw);

    /// <summary>The same, of the BAR.</summary>
    [Benchmark(OperationsPerInvoke = Accesses)]
    public uint MappedMmioRead() => ReadByMmio(_mapped);

    /// <summary>A store through a pointer.</summary>
    [Benchmark(OperationsPerInvoke = Accesses)]
    public void RawPointerWrite() => WriteByPointer(_raw);

    /// <summary>The same, to the BAR.</summary>
    [Benchmark(OperationsPerInvoke = Accesses)]
    public void MappedPointerWrite() => WriteByPointer(_mapped);

    /// <summary>A store by the accessor.</summary>
    [Benchmark(OperationsPerInvoke = Accesses)]
    public void RawMmioWrite() => WriteByMmio(_raw);

    /// <summary>The same, to the BAR.</summary>
    [Benchmark(OperationsPerInvoke = Accesses)]
    public void MappedMmioWrite() => WriteByMmio(_mapped);

    private static unsafe uint ReadByPointer(nint register)
    {
        var sum = 0u;
        for (var i = 0; i < Accesses; i++)
            sum += Volatile.Read(ref *(uint*)register);
        return sum;
    }

    private static unsafe uint ReadByMmio(nint register)
    {
        var sum = 0u;
        for (var i = 0; i < Accesses; i++)
            sum += Mmio.Read32((void*)register);
        return sum;
    }

    private static unsafe void WriteByPointer(nint register)
    {
        for (var i = 0u; i < Accesses; i++)
            Volatile.Write(ref *(uint*)register, i);
    }

    private static unsafe void WriteByMmio(nint register)
    {
        for (var i = 0u; i < Accesses; i++)
            Mmio.Write32((void*)register, i);
    }
}
