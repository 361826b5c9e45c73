using static Vfio.MigrationState;

namespace Vfio.Core.Tests.Migration;

public sealed class RoundTripTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData(1 << 20)]
    [InlineData(3 << 20)]
    public async Task What_one_device_saves_another_resumes(int atOnce)
    {
        var state = Streams.Pattern(Math.Min(atOnce * 500, 40 << 20));
        byte[] resumed = [];
        var source = new Migrating { Variant = { OnSave = Streams.Saving(state) } };
        var target = new Migrating
        {
            Variant =
            {
                OnLoad = async (session, token) =>
                {
                    resumed = await Streams.TakeAllAsync(session, token);
                    return VfioResult.Success;
                },
            },
        };
        var saving = await source.BeginAsync(StopCopy);
        var resuming = await target.BeginAsync(Resuming);
        var buffer = new byte[atOnce];
        while (await saving.ReadAsync(buffer, TestContext.Current.CancellationToken) is { Value: > 0 and var count })
            Assert.Equal(VfioResult.Success, await resuming.WriteAsync(buffer.AsMemory(0, count), TestContext.Current.CancellationToken));

        await target.GoAsync(Running);
        await source.GoAsync(Stop);
        Assert.True(state.AsSpan().SequenceEqual(resumed));
        await source.Service.Settled;
        await target.Service.Settled;
        Assert.Equal(0, source.Pool.Outstanding);
        Assert.Equal(0, target.Pool.Outstanding);
    }
}
