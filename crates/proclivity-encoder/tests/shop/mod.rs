//! A small shop in two languages and the verbalized histories of its users.

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Interests, each with titles in English and Chinese.
pub(crate) const SHOP: [(&str, [&str; 6], [&str; 6]); 8] = [
    (
        "photography",
        [
            "35mm colour film, 36 exposures",
            "Instant camera with colour film",
            "Carbon tripod for mirrorless cameras",
            "50mm prime lens",
            "Camera bag with rain cover",
            "Darkroom developer for black-and-white film",
        ],
        [
            "35毫米彩色胶卷，36张",
            "拍立得相机配彩色胶片",
            "微单碳纤维三脚架",
            "50毫米定焦镜头",
            "带防雨罩的相机包",
            "黑白胶卷冲洗显影液",
        ],
    ),
    (
        "coffee",
        [
            "Ethiopian coffee beans, light roast",
            "Hand coffee grinder with steel burrs",
            "Pour-over kettle with thermometer",
            "Paper coffee filters, 100 pieces",
            "Espresso cups, set of four",
            "Oolong tea, loose leaf",
        ],
        [
            "埃塞俄比亚咖啡豆浅烘焙",
            "钢磨芯手摇咖啡磨豆机",
            "带温度计的手冲壶",
            "咖啡滤纸100张",
            "意式浓缩咖啡杯四只装",
            "散装乌龙茶",
        ],
    ),
    (
        "running",
        [
            "Trail running shoes, waterproof",
            "Road running shoes with carbon plate",
            "Running belt for phone and keys",
            "Sports watch with heart rate",
            "Compression socks for runners",
            "Electrolyte gels, box of twelve",
        ],
        [
            "防水越野跑鞋",
            "碳板公路跑鞋",
            "手机钥匙跑步腰包",
            "心率运动手表",
            "跑步压缩袜",
            "电解质能量胶十二支装",
        ],
    ),
    (
        "gardening",
        [
            "Tomato seeds, organic",
            "Pruning shears with steel blade",
            "Self-watering balcony planter",
            "Potting soil, 20 litres",
            "Watering can, 5 litres",
            "Herb garden starter kit",
        ],
        [
            "有机番茄种子",
            "钢刃修枝剪",
            "自动浇水阳台花盆",
            "盆栽营养土20升",
            "洒水壶5升",
            "香草花园种植套装",
        ],
    ),
    (
        "gaming",
        [
            "Mechanical keyboard with quiet switches",
            "Wireless gaming mouse",
            "27 inch gaming monitor, 165 Hz",
            "Headset with noise cancelling",
            "Arcade fight stick",
            "Game controller for PC",
        ],
        [
            "静音轴机械键盘",
            "无线游戏鼠标",
            "27英寸165赫兹游戏显示器",
            "降噪游戏耳机",
            "街机格斗摇杆",
            "电脑游戏手柄",
        ],
    ),
    (
        "baking",
        [
            "Sourdough bread flour, 5 kg",
            "Proofing basket with linen cloth",
            "Stand mixer, 5 litre bowl",
            "Silicone baking mat",
            "Cake tins, set of three",
            "Kitchen scale, 1 gram steps",
        ],
        [
            "天然酵母面包粉5公斤",
            "亚麻布发酵篮",
            "5升厨师机",
            "硅胶烘焙垫",
            "蛋糕模具三件套",
            "厨房电子秤精度1克",
        ],
    ),
    (
        "camping",
        [
            "Two-person tent, 1.8 kg",
            "Down sleeping bag, minus 5 degrees",
            "Gas stove with windshield",
            "Head torch, 400 lumen",
            "Inflatable sleeping mat",
            "Water filter for hikers",
        ],
        [
            "1.8公斤双人帐篷",
            "零下5度羽绒睡袋",
            "带挡风罩的燃气炉",
            "400流明头灯",
            "充气睡垫",
            "徒步净水器",
        ],
    ),
    (
        "music",
        [
            "Classical guitar, cedar top",
            "Guitar strings, nylon",
            "Digital piano with weighted keys",
            "Clip-on tuner for guitar and ukulele",
            "Vinyl record of piano sonatas",
            "Studio microphone with stand",
        ],
        [
            "雪松面板古典吉他",
            "尼龙吉他弦",
            "配重键盘电钢琴",
            "吉他尤克里里夹式调音器",
            "钢琴奏鸣曲黑胶唱片",
            "带支架的录音室麦克风",
        ],
    ),
];

/// Histories of so many users, each with two or three interests, in English and Chinese by turns.
pub(crate) fn histories(users: usize, events: usize, seed: u64) -> Vec<String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let kinds =
        [("Viewed", "浏览"), ("Clicked", "点击"), ("Bought", "购买了"), ("Put in cart", "加购")];
    (0..users)
        .map(|user| {
            let interests: Vec<usize> = (0..2).map(|_| rng.random_range(0..SHOP.len())).collect();
            let mut text = String::new();
            for _ in 0..events {
                let interest = match rng.random_range(0..10) {
                    0 => rng.random_range(0..SHOP.len()),
                    n => interests[n % 2],
                };
                let item = rng.random_range(0..6);
                let kind = kinds.choose(&mut rng).unwrap();
                text += &if user % 2 == 0 {
                    format!("{} \"{}\". ", kind.0, SHOP[interest].1[item])
                } else {
                    format!("{}「{}」。", kind.1, SHOP[interest].2[item])
                };
            }
            text.trim_end().to_owned()
        })
        .collect()
}
