using Vfio.Core.Tests.Migration;
using Vfio.Core.Tests.Scripted;
using static Vfio.MigrationState;

namespace Vfio.Core.Tests.Variants;

public sealed class MigrationExampleTests
{
    private readonly MigratesItsState _source = new(new VfioPciCore(new ScriptedFunction(new Hardware().Bytes)));
    private readonly MigratesItsState _target = new(new VfioPciCore(new ScriptedFunction(new Hardware().Bytes)));

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_saved_is_there_once_the_target_has_left_RESUMING()
    {
        Streams.Pattern(1024).CopyTo(_source.State.AsSpan());
        var saving = (await new MigrationService(_source).SetStateAsync(StopCopy, Cancellation)).Value!;
        Assert.False(_source.Runs);
        var (bytes, end) = await saving.ReadToEndAsync(atOnce: 100);
        Assert.Equal(Errno.None, end);
        Assert.Equal(_source.StopCopySize, (ulong)bytes.Length);

        var service = new MigrationService(_target);
        var resuming = (await service.SetStateAsync(Resuming, Cancellation)).Value!;
        foreach (var part in bytes.Chunk(333))
            Assert.True((await resuming.WriteAsync(part, Cancellation)).IsSuccess);
        Assert.NotEqual(_source.State, _target.State);
        Assert.True((await service.SetStateAsync(Running, Cancellation)).IsSuccess);
        Assert.Equal(_source.State, _target.State);
        Assert.True(_target.Runs);
    }

    [Fact]
    public async Task What_is_not_its_state_is_refused_and_not_applied()
    {
        var service = new MigrationService(_target);
        var resuming = (await service.SetStateAsync(Resuming, Cancellation)).Value!;
        Assert.Equal(Errno.EINVAL, (await resuming.WriteAsync("EXMQ"u8.ToArray(), Cancellation)).Error);

        await _target.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation);
        resuming = (await service.SetStateAsync(Resuming, Cancellation)).Value!;
        Assert.True((await resuming.WriteAsync("EXMP1234"u8.ToArray(), Cancellation)).IsSuccess);
        Assert.Equal(Errno.EINVAL, (await service.SetStateAsync(Running, Cancellation)).Error);
        Assert.Equal(new byte[1024], _target.State);
        await _target.CloseAsync(ResetCause.Close);
        Assert.Equal(Running, (await service.GetStateAsync(Cancellation)).Value);
    }
}
