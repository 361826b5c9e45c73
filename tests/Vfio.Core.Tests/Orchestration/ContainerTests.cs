using Vfio.Core.Orchestration;
using Vfio.Core.Orchestration.Container;

namespace Vfio.Core.Tests.Orchestration;

public sealed class ContainerTests
{
    private static readonly Random Seeded = new(4);

    [Fact]
    public async Task A_file_is_saved_and_restored()
    {
        var rig = new Rig(3);
        var file = await SaveAsync(rig);
        Assert.All(rig.Sources, d => Assert.Equal(MigrationState.Stop, d.State));
        var summary = await new MigrationDestination(Rig.Named(rig.Destinations)).RestoreAsync(file, TestContext.Current.CancellationToken);
        rig.AssertMoved();
        Assert.Equal((ulong)rig.Sources.Sum(s => s.Emitted.Length), summary.Bytes);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_file_that_was_cut_or_altered_anywhere_never_runs(bool canSeek)
    {
        var bytes = (await SaveAsync(new Rig(2))).ToArray();
        for (var at = 0; at < bytes.Length; at++)
        {
            await RefuseAsync(bytes[..at], canSeek);
            var altered = bytes.ToArray();
            altered[at] ^= (byte)Seeded.Next(1, 256);
            await RefuseAsync(altered, canSeek);
        }

        await RefuseAsync([.. bytes, 0], canSeek);
        await RefuseAsync([.. bytes, .. bytes], canSeek);
    }

    [Fact]
    public async Task A_frame_that_was_left_out_repeated_or_put_elsewhere_is_found()
    {
        var bytes = (await SaveAsync(new Rig(2))).ToArray();
        var frames = Frames(bytes);
        for (var at = 0; at < frames.Count; at++)
        {
            await RefuseAsync(Join(bytes, frames.Where((_, i) => i != at)), canSeek: true);
            await RefuseAsync(Join(bytes, frames.SelectMany((f, i) => Enumerable.Repeat(f, i == at ? 2 : 1))), canSeek: true);
            if (at > 0)
                await RefuseAsync(Join(bytes, frames.Select((f, i) => i == at ? frames[i - 1] : i == at - 1 ? frames[i + 1] : f)), canSeek: true);
        }
    }

    [Fact]
    public async Task A_file_that_could_not_be_published_leaves_the_devices_running()
    {
        var rig = new Rig(2);
        var states = new List<MigrationState>();
        var failure = await Assert.ThrowsAsync<MigrationFailedException>(() => new MigrationSource(Rig.Named(rig.Sources)).SaveAsync(
            new MemoryStream(),
            _ =>
            {
                states.AddRange(rig.Sources.Select(s => s.State));
                throw new IOException("No space left on device");
            },
            TestContext.Current.CancellationToken));
        Assert.Equal([MigrationState.Stop, MigrationState.Stop], states);
        Assert.Equal(MigrationOutcome.SourceRuns, failure.Outcome);
        Assert.All(rig.Sources, d => Assert.Equal(MigrationState.Running, d.State));
    }

    [Fact]
    public async Task A_full_disk_is_called_that_and_the_devices_run()
    {
        var rig = new Rig();
        await using var file = new FileStream("/dev/full", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        var failure = await Assert.ThrowsAsync<MigrationFailedException>(
            () => new MigrationSource(Rig.Named(rig.Sources)).SaveAsync(file, null, TestContext.Current.CancellationToken));
        Assert.Equal((Errno.ENOSPC, MigrationOutcome.SourceRuns), (failure.Error, failure.Outcome));
        Assert.DoesNotContain("connection", failure.Message, StringComparison.Ordinal);
        Assert.Equal(MigrationState.Running, rig.Sources[0].State);
    }

    [Fact]
    public async Task Publishing_a_file_is_part_of_the_downtime()
    {
        var clock = new AutoClock();
        var summary = await new MigrationSource(Rig.Named(new Rig().Sources), new() { TimeProvider = clock }).SaveAsync(
            new MemoryStream(),
            _ =>
            {
                clock.Advance(TimeSpan.FromSeconds(5));
                return ValueTask.CompletedTask;
            },
            TestContext.Current.CancellationToken);
        Assert.Equal(TimeSpan.FromSeconds(5), summary.Downtime);
    }

    [Theory]
    [InlineData("8086:1572", "8086:1572", null)]
    [InlineData("8086:1572", "", null)]
    [InlineData("8086:1572", "8086:154c", "A is 8086:1572, and a is 8086:154c")]
    public async Task A_device_of_another_kind_is_refused_before_it_is_touched(string from, string to, string? refusal)
    {
        var rig = new Rig();
        var file = new MemoryStream();
        await new MigrationSource(Rig.Named(rig.Sources, from)).SaveAsync(file, null, TestContext.Current.CancellationToken);
        file.Position = 0;
        var destination = new MigrationDestination(Rig.Named(rig.Destinations, to));
        if (refusal is null)
        {
            await destination.RestoreAsync(file, TestContext.Current.CancellationToken);
            return;
        }

        var failure = await Assert.ThrowsAsync<MigrationFailedException>(
            () => destination.RestoreAsync(file, TestContext.Current.CancellationToken));
        Assert.Equal(refusal, failure.Message);
        Assert.Equal(MigrationState.Running, rig.Destinations[0].State);
        Assert.DoesNotContain(rig.World.Journal, line => line[0] == 'a');
    }

    [Fact]
    public async Task What_a_source_calls_its_devices_is_shown_as_plain_text()
    {
        var rig = new Rig();
        var file = new MemoryStream();
        MigratingDevice hostile = new("A\u001b[2J\nvfio: done\u202e", rig.Sources[0], "1\u009b31m\u2028");
        await new MigrationSource([hostile]).SaveAsync(file, null, TestContext.Current.CancellationToken);
        file.Position = 0;
        var failure = await Assert.ThrowsAsync<MigrationFailedException>(() => new MigrationDestination(Rig.Named(rig.Destinations, "2"))
            .RestoreAsync(file, TestContext.Current.CancellationToken));
        Assert.Equal("A?[2J?vfio: done? is 1?31m?, and a is 2", failure.Message);
    }

    [Fact]
    public async Task A_set_of_another_size_is_refused_before_it_is_touched()
    {
        var rig = new Rig(2);
        rig.Destinations.RemoveAt(1);
        await rig.RunAsync();
        rig.AssertHonest();
        Assert.Equal(Errno.EINVAL, Assert.IsType<MigrationFailedException>(rig.SourceFailure).Error);
        Assert.Empty(rig.World.Journal);
    }

    [Fact]
    public async Task A_device_that_knows_no_PRE_COPY_takes_the_place_only_of_one_that_is_moved_without()
    {
        foreach (var usePrecopy in new[] { true, false })
        {
            var world = new FakeWorld();
            var rig = new Rig(
                world, new(world, "A", Rig.All, isSource: true) { StopCopyData = [1] }, new(world, "a", MigrationCapabilities.StopCopy, isSource: false))
            {
                SourceOptions = new() { UsePrecopy = usePrecopy },
            };
            await rig.RunAsync();
            rig.AssertHonest();
            Assert.Equal(usePrecopy, rig.SourceFailure is MigrationFailedException { Error: Errno.EOPNOTSUPP });
        }
    }

    [Fact]
    public void Sets_that_make_no_sense_are_not_begun()
    {
        var world = new FakeWorld();
        var device = new MigratingDevice("A", new FakeDevice(world, "A", Rig.All, isSource: true));
        Assert.Equal(Errno.EINVAL, Assert.Throws<VfioException>(() => new MigrationSource([])).Error);
        Assert.Equal(Errno.EINVAL, Assert.Throws<VfioException>(() => new MigrationSource([device, device])).Error);
        Assert.Equal(Errno.EINVAL, Assert.Throws<VfioException>(() => new MigrationDestination([device with { Name = new('x', 1025) }])).Error);
        Assert.Equal(Errno.EINVAL, Assert.Throws<VfioException>(() => new MigrationSource([device], new() { MaxRounds = 0 })).Error);
    }

    [Fact]
    public async Task Frames_of_a_kind_that_is_unknown_are_passed_over_if_they_are_optional()
    {
        foreach (var optional in new[] { true, false })
        {
            using var bytes = new MemoryStream();
            var writer = new FrameWriter(bytes);
            await writer.WriteAsync((FrameKind)(77 | (optional ? ContainerFormat.Optional : 0)), 0, [1, 2, 3], TestContext.Current.CancellationToken);
            await writer.WriteAsync(FrameKind.GivenUp, 0, [], TestContext.Current.CancellationToken);
            bytes.Position = 0;
            var reading = new FrameReader(bytes).ReadAsync(TestContext.Current.CancellationToken).AsTask();
            if (optional)
                Assert.Equal(FrameKind.GivenUp, (await reading)!.Value.Kind);
            else
                Assert.Equal(Errno.EOPNOTSUPP, (await Assert.ThrowsAsync<MigrationStepException>(() => reading)).Error);
        }
    }

    [Fact]
    public void The_checksum_is_CRC_32C()
    {
        Assert.Equal(0xE3069283u, ContainerFormat.Checksum(0, "123456789"u8));
        Assert.Equal(0xE3069283u, ContainerFormat.Checksum(ContainerFormat.Checksum(0, "1234"u8), "56789"u8));
    }

    private static async Task<MemoryStream> SaveAsync(Rig rig)
    {
        var file = new MemoryStream();
        await new MigrationSource(Rig.Named(rig.Sources)).SaveAsync(file, null, TestContext.Current.CancellationToken);
        file.Position = 0;
        return file;
    }

    private static async Task RefuseAsync(byte[] bytes, bool canSeek)
    {
        var rig = new Rig(2);
        Stream file = canSeek ? new MemoryStream(bytes) : new OneWay(bytes);
        var failure = await Assert.ThrowsAsync<MigrationFailedException>(
            () => new MigrationDestination(Rig.Named(rig.Destinations)).RestoreAsync(file, TestContext.Current.CancellationToken));
        Assert.Contains(failure.Error, new[] { Errno.EBADMSG, Errno.EPIPE, Errno.EPROTO, Errno.EOPNOTSUPP });
        Assert.NotEqual(MigrationOutcome.DestinationMayRun, failure.Outcome);
        Assert.All(rig.Destinations, d => Assert.False(d.HasLoaded));
        if (canSeek)
            Assert.Empty(rig.World.Journal);
    }

    private static List<Range> Frames(byte[] bytes)
    {
        var frames = new List<Range>();
        for (var at = ContainerFormat.PreambleSize; at < bytes.Length; at = frames[^1].End.Value)
            frames.Add(at..(at + ContainerFormat.HeaderSize + BitConverter.ToInt32(bytes, at + 8)));
        return frames;
    }

    private static byte[] Join(byte[] bytes, IEnumerable<Range> frames)
        => [.. bytes[..ContainerFormat.PreambleSize], .. frames.SelectMany(frame => bytes[frame])];

    private sealed class OneWay(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}
