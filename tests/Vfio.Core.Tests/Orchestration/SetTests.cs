using static Vfio.MigrationCapabilities;

namespace Vfio.Core.Tests.Orchestration;

public sealed class SetTests
{
    [Fact]
    public async Task All_devices_reach_each_stage_before_any_goes_further()
    {
        var rig = new Rig(3);
        await rig.SucceedAsync();
        string[] stages =
        [
            "Stop->Resuming", "Running->PreCopy", "PreCopy->PreCopyP2P", "PreCopyP2P->StopCopy", "Resuming->Stop", "StopCopy->Stop",
            "Stop->RunningP2P", "RunningP2P->Running",
        ];
        var order = rig.World.Journal.Select(line => line[2..]).Where(stages.Contains).ToList();
        Assert.Equal(stages.SelectMany(stage => Enumerable.Repeat(stage, 3)), order);
    }

    [Theory]
    [InlineData(StopCopy)]
    [InlineData(StopCopy | PreCopy)]
    public async Task A_set_without_P2P_is_refused_before_anything_is_touched(MigrationCapabilities capabilities)
    {
        var rig = new Rig(2, capabilities);
        await rig.RunAsync();
        Assert.Equal(Errno.EOPNOTSUPP, Assert.IsType<MigrationFailedException>(rig.SourceFailure).Error);
        Assert.Contains("P2P", rig.SourceFailure!.Message, StringComparison.Ordinal);
        Assert.Empty(rig.World.Journal);
    }

    [Fact]
    public async Task A_set_without_P2P_moves_where_its_devices_never_speak_to_each_other()
    {
        var rig = new Rig(2, StopCopy)
        {
            SourceOptions = new() { DevicesAreNoPeers = true }, DestinationOptions = new() { DevicesAreNoPeers = true },
        };
        await rig.SucceedAsync();
    }

    [Fact]
    public async Task Recovery_goes_through_P2P_for_all_before_any_runs()
    {
        var rig = new Rig(3);
        var reads = 0;
        rig.World.OnOperation = (device, operation, _) =>
            device.IsSource && device.State == MigrationState.StopCopy && operation == "read" && ++reads == 3 ? Errno.EIO : Errno.None;
        await rig.RunAsync();
        rig.AssertHonest();
        var recovery = rig.World.Journal.Where(line => char.IsUpper(line[0])).Select(line => line[2..]).SkipWhile(line => line != "StopCopy->Stop");
        Assert.Equal(
            [
                .. Enumerable.Repeat<string[]>(["StopCopy->Stop", "Stop->RunningP2P"], 3).SelectMany(pair => pair),
                .. Enumerable.Repeat("RunningP2P->Running", 3),
            ],
            recovery);
    }
}
