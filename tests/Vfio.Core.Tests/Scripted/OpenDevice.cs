using System.Buffers.Binary;

namespace Vfio.Core.Tests.Scripted;

/// <summary>A device open over a scripted function, as a front end sees it.</summary>
internal sealed class OpenDevice : VfioPciDevice, IAsyncDisposable
{
    private OpenDevice(IVfioPciCore core)
        : base(core)
    {
    }

    public new VfioPciCore Core => (VfioPciCore)base.Core;

    public List<string> Hooks { get; } = [];

    public Action<ResetCause>? OnPrepare { get; set; }

    public Action<ResetCause>? OnDone { get; set; }

    public static async Task<OpenDevice> Open(ScriptedFunction function, IDmaSpace? dma = null, VfioPciCoreOptions? options = null)
    {
        var device = Closed(function, options);
        var result = await device.OpenAsync(new() { Dma = dma ?? new DmaSpace() }, TestContext.Current.CancellationToken);
        Assert.Equal(Errno.None, result.Error);
        device.Hooks.Clear();
        return device;
    }

    public static OpenDevice Closed(ScriptedFunction function, VfioPciCoreOptions? options = null)
        => new(new VfioPciCore(function, null, options));

    protected override void ResetPrepare(ResetCause cause)
    {
        Hooks.Add($"prepare {cause}");
        OnPrepare?.Invoke(cause);
    }

    protected override void ResetDone(ResetCause cause)
    {
        Hooks.Add($"done {cause}");
        OnDone?.Invoke(cause);
    }

    public uint ReadConfig(int offset, int width = 4)
    {
        Span<byte> bytes = stackalloc byte[4];
        Assert.Equal(width, Read(RegionIndex.Config, (ulong)offset, bytes[..width]).Value);
        return BinaryPrimitives.ReadUInt32LittleEndian(bytes);
    }

    public void WriteConfig(int offset, int width, uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        Assert.Equal(width, Write(RegionIndex.Config, (ulong)offset, bytes[..width]).Value);
    }

    public ValueTask DisposeAsync() => CloseAsync(ResetCause.Close);
}
